import type { MemoryScope, ServiceContext, UserContext } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { asUser } from '../users/end-users.ts'
import type { MemoryRow } from './queries.ts'

/** All memories of the key's project. */
export function projectScope(ctx: ServiceContext): MemoryScope {
  const { accountId, projectId } = ctx.service
  return { accountId, projectId }
}

/** Those of one user of it. */
export function userScope(ctx: ServiceContext, userId: string): MemoryScope {
  return { ...projectScope(ctx), userId }
}

/** The request, on behalf of the user whose memory it is about. */
export function asOwner(
  ctx: ServiceContext & { turn: Disposable },
  memory: Pick<MemoryRow, 'userId'>,
  externalId = '',
): UserContext {
  return asUser(ctx, { id: memory.userId, externalId }, ctx.turn)
}

export function unknownMemory(): GatewayError {
  return new GatewayError('not_found', 'There is no such memory.')
}
