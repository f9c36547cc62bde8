import { noteIfForeign } from '../audit/refuse-unknown.ts'
import type { Caller, SystemContext } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { hashKey, looksLikeKey } from '../secret-key.ts'
import { findKeyHolder, touchUserKey } from './queries.ts'
import type { Credentials } from './schemas.ts'

/**
 * Who calls, by their key alone. `unauthenticated` for no key, and, without telling them apart, for a key that is
 * wrong, revoked or expired, and for one that is not the named user's.
 */
export async function authenticateUser(ctx: SystemContext, credentials: Credentials): Promise<Caller> {
  const { userKey, userId } = credentials
  if (!userKey) {
    ctx.services.events.authenticationFailed()
    throw new GatewayError(
      'unauthenticated',
      'A key is needed: send user_id and user_key, or the header Authorization: Bearer <user_key>.',
    )
  }
  const holder = looksLikeKey('uk_', userKey) ? await findKeyHolder(ctx.services.db, hashKey(userKey)) : undefined
  if (!holder || (userId !== undefined && userId !== holder.externalUserId)) {
    ctx.services.events.authenticationFailed()
    if (holder && userId !== undefined) noteIfForeign({ ...ctx, caller: holder }, 'user', userId)
    throw new GatewayError('unauthenticated', 'The key is not valid, or is not a key of this user_id.')
  }
  const { isStale, keptUntil: _, ...caller } = holder
  if (isStale) await touchUserKey(ctx.services.db, caller, caller.keyId)
  return caller
}
