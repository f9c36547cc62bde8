import { inTransaction } from '../../db/database.ts'
import type { Context } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { createId } from '../ids.ts'
import { countUserKeys, insertUserKey, markKeyRevoked, selectUserKeys, type UserKeyRow } from './queries.ts'
import { issueUserKey } from './user-key.ts'

/** Valid keys that one user may have. */
export const MAX_USER_KEYS = 50

/** The caller may name only themselves: anyone else is as unknown as a user that does not exist. */
function requireSelf(ctx: Context, externalUserId: string): void {
  if (externalUserId !== ctx.caller.externalUserId) throw new GatewayError('not_found', 'There is no such user.')
}

/** Another key beside those the user has; `secret` is shown here and never again. `conflict` if those are too many. */
export async function createUserKey(ctx: Context, externalUserId: string): Promise<UserKeyRow & { secret: string }> {
  requireSelf(ctx, externalUserId)
  const { secret, hash, prefix } = issueUserKey()
  const row = await inTransaction(ctx.services.db, async (tx) => {
    const count = await countUserKeys(tx, ctx.caller)
    if (count >= MAX_USER_KEYS) {
      throw new GatewayError('conflict', `You have ${count} valid keys, the most that one user may have. Revoke one.`, {
        details: { max_user_keys: MAX_USER_KEYS },
      })
    }
    return insertUserKey(tx, ctx.caller, { id: createId('key'), hash, prefix })
  })
  return { ...row, secret }
}

/** The user's valid keys, oldest first. */
export async function listUserKeys(ctx: Context, externalUserId: string): Promise<UserKeyRow[]> {
  requireSelf(ctx, externalUserId)
  return selectUserKeys(ctx.services.db, ctx.caller)
}

/** From here on the key is refused. The key in use may revoke itself; the last one too. */
export async function revokeUserKey(ctx: Context, externalUserId: string, keyId: string): Promise<void> {
  requireSelf(ctx, externalUserId)
  const revoked = await markKeyRevoked(ctx.services.db, ctx.caller, keyId)
  if (!revoked) throw new GatewayError('not_found', 'There is no such key.')
}
