import { inTransaction } from '../../db/database.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, nothingElse, type ServiceContext } from '../context.ts'
import { emitKeyEvent } from '../webhooks/key-events.ts'
import { keyRealm } from './key-realm.ts'
import { lockApiKeysByNumber } from './number-queries.ts'
import { endApiKey } from './queries.ts'

export interface RevokedKey {
  readonly number: number
  readonly outcome: 'revoked' | 'already_revoked' | 'not_found'
}

/** Revokes keys of the caller's account by their numbers, all in one transaction; the key in use may be among them. In the order of the numbers. */
export async function revokeApiKeys(
  ctx: ServiceContext,
  numbers: readonly number[],
  also: AlsoStore<readonly RevokedKey[]> = nothingElse,
): Promise<readonly RevokedKey[]> {
  const realm = keyRealm(ctx, ctx.service.accountId)
  return inTransaction(ctx.services.db, async (tx) => {
    const found = new Map((await lockApiKeysByNumber(tx, realm, numbers)).map((key) => [key.number, key]))
    for (const key of found.values()) {
      if (key.revokedAt) continue
      const revoked = await endApiKey(tx, key, 'now')
      await recordAudit(tx, ctx, { action: 'api_key.revoke', target: key.id })
      await emitKeyEvent(tx, ctx, 'api_key.revoked', revoked)
    }
    const results = [...new Set(numbers)].map((number): RevokedKey => {
      const key = found.get(number)
      return { number, outcome: key ? (key.revokedAt ? 'already_revoked' : 'revoked') : 'not_found' }
    })
    await also(tx, results)
    return results
  })
}
