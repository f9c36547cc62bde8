import { inTransaction } from '../../db/database.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, nothingElse, type OperatorContext, type ServiceContext } from '../context.ts'
import { emitKeyEvent } from '../webhooks/key-events.ts'
import { keyRealm, unknownApiKey } from './key-realm.ts'
import { type ApiKeyRow, endApiKey, lockApiKey } from './queries.ts'

/**
 * From here on the key is refused; a key may revoke itself. `by`: its id, or its number. `not_found` if the account has no such key, or it is revoked
 * already.
 */
export async function revokeApiKey(
  ctx: OperatorContext | ServiceContext,
  accountId: string,
  by: string | number,
  also: AlsoStore<ApiKeyRow> = nothingElse,
): Promise<ApiKeyRow> {
  const realm = keyRealm(ctx, accountId)
  return inTransaction(ctx.services.db, async (tx) => {
    const key = await lockApiKey(tx, realm, by)
    if (!key) throw unknownApiKey()
    const revoked = await endApiKey(tx, key, 'now')
    await recordAudit(tx, ctx, { action: 'api_key.revoke', target: key.id })
    await emitKeyEvent(tx, ctx, 'api_key.revoked', revoked)
    await also(tx, revoked)
    return revoked
  })
}
