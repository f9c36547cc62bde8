import type { Context } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { createId } from '../ids.ts'
import { insertUserKey, markKeyRevoked, selectUserKeys, type UserKeyRow } from './queries.ts'
import { issueUserKey } from './user-key.ts'

/** The caller may name only themselves: anyone else is as unknown as a user that does not exist. */
function requireSelf(ctx: Context, externalUserId: string): void {
  if (externalUserId !== ctx.caller.externalUserId) throw new GatewayError('not_found', 'There is no such user.')
}

/** Another key beside those the user has; `secret` is shown here and never again. */
export async function createUserKey(ctx: Context, externalUserId: string): Promise<UserKeyRow & { secret: string }> {
  requireSelf(ctx, externalUserId)
  const { secret, hash, prefix } = issueUserKey()
  const row = await insertUserKey(ctx.services.db, ctx.caller, { id: createId('key'), hash, prefix })
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
