import { inTransaction } from '../../db/database.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, nothingElse, type OperatorContext, type ServiceContext } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { createId } from '../ids.ts'
import { parseInput } from '../parse-input.ts'
import { issueKey } from '../secret-key.ts'
import { emitKeyEvent } from '../webhooks/key-events.ts'
import type { CreatedApiKey } from './create-api-key.ts'
import { keyRealm, unknownApiKey } from './key-realm.ts'
import { endApiKey, insertApiKey, lockApiKey } from './queries.ts'
import { RotateApiKeyInput } from './schemas.ts'

/**
 * A new key with the settings of an old one, which ends at once, or after `grace_seconds`; sooner, if it would have ended sooner. Its usage stays its own.
 * `not_found` if the account has no such key, or it is revoked; `conflict` if it has expired.
 */
export async function rotateApiKey(
  ctx: OperatorContext | ServiceContext,
  accountId: string,
  by: string | number,
  input: unknown,
  also: AlsoStore<CreatedApiKey> = nothingElse,
): Promise<CreatedApiKey> {
  const { grace_seconds: grace } = parseInput(RotateApiKeyInput, input)
  const realm = keyRealm(ctx, accountId)
  const { secret, hash, prefix } = issueKey('mgk_live_')
  return inTransaction(ctx.services.db, async (tx) => {
    const old = await lockApiKey(tx, realm, by)
    if (!old) throw unknownApiKey()
    if (old.isExpired) {
      throw new GatewayError('conflict', 'This API key has expired, and so would the new one. Create another.')
    }
    const { name, projectId, scopes, plan, expiresAt } = old
    const settings = { accountId, name, projectId, scopes, plan, expiresAt }
    const row = await insertApiKey(tx, { id: createId('key'), hash, prefix, ...settings })
    const ended = await endApiKey(tx, old, grace === 0 ? 'now' : { afterSeconds: grace })
    await recordAudit(tx, ctx, { action: 'api_key.rotate', target: old.id })
    await recordAudit(tx, ctx, { action: 'api_key.create', target: row.id })
    await emitKeyEvent(tx, ctx, 'api_key.created', row)
    if (ended.revokedAt) await emitKeyEvent(tx, ctx, 'api_key.revoked', ended)
    const created = { ...row, secret }
    await also(tx, created)
    return created
  })
}
