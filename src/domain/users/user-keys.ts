import { inTransaction } from '../../db/database.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { refuseUnknown } from '../audit/refuse-unknown.ts'
import { type AlsoStore, type Context, nothingElse } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { createId } from '../ids.ts'
import { issueKey } from '../secret-key.ts'
import { countUserKeys, insertUserKey, markKeyRevoked, selectUserKeys, type UserKeyRow } from './queries.ts'

/** Valid keys that one user may have. */
export const MAX_USER_KEYS = 50

/** The caller may name only themselves: anyone else is as unknown as a user that does not exist. */
export function requireSelf(ctx: Context, externalUserId: string): void {
  if (externalUserId !== ctx.caller.externalUserId) throw refuseUnknown(ctx, 'user', externalUserId)
}

export type CreatedUserKey = UserKeyRow & { readonly secret: string }

/** Another key beside those the user has; `secret` is shown here and never again. `conflict` if those are too many. */
export async function createUserKey(
  ctx: Context,
  externalUserId: string,
  also: AlsoStore<CreatedUserKey> = nothingElse,
): Promise<CreatedUserKey> {
  requireSelf(ctx, externalUserId)
  const { secret, hash, prefix } = issueKey('uk_')
  return inTransaction(ctx.services.db, async (tx) => {
    const count = await countUserKeys(tx, ctx.caller)
    if (count >= MAX_USER_KEYS) {
      throw new GatewayError('conflict', `You have ${count} valid keys, the most that one user may have. Revoke one.`, {
        details: { max_user_keys: MAX_USER_KEYS },
      })
    }
    const row = await insertUserKey(tx, ctx.caller, { id: createId('key'), hash, prefix })
    await recordAudit(tx, ctx, { action: 'key.create', target: row.id })
    const created = { ...row, secret }
    await also(tx, created)
    return created
  })
}

/** The user's valid keys, oldest first. */
export async function listUserKeys(ctx: Context, externalUserId: string): Promise<UserKeyRow[]> {
  requireSelf(ctx, externalUserId)
  return selectUserKeys(ctx.services.db, ctx.caller)
}

/** From here on the key is refused. The key in use may revoke itself; the last one too. */
export async function revokeUserKey(
  ctx: Context,
  externalUserId: string,
  keyId: string,
  also: AlsoStore<string> = nothingElse,
): Promise<void> {
  requireSelf(ctx, externalUserId)
  const isRevoked = await inTransaction(ctx.services.db, async (tx) => {
    if (!(await markKeyRevoked(tx, ctx.caller, keyId))) return false
    await recordAudit(tx, ctx, { action: 'key.revoke', target: keyId })
    await also(tx, keyId)
    return true
  })
  if (!isRevoked) throw refuseUnknown(ctx, 'key', keyId)
}
