import type { Context, MemoryScope, ServiceContext } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { isMemoryName } from '../memories/schemas.ts'
import { findForeign, findForeignMemory, insertAudit, type TargetKind } from './queries.ts'
import { actorOf } from './record-audit.ts'

/**
 * The `not_found` for an id that is not the caller's. An unknown id and another user's get the same answer; the latter is
 * counted, and kept in the audit log.
 */
export function refuseUnknown(ctx: Omit<Context, 'turn'>, kind: TargetKind, id: string): GatewayError {
  noteIfForeign(ctx, kind, id)
  return new GatewayError('not_found', `There is no such ${kind}.`)
}

/** Not awaited: how long the answer takes must not tell whether the id is somebody's. */
export function noteIfForeign(ctx: Omit<Context, 'turn'>, kind: TargetKind, id: string): void {
  note(ctx, kind, id).catch((error: unknown) => {
    ctx.log.warn({ err: error, kind }, 'denied access not written down')
  })
}

/** The same for a memory that is not in the scope, by its id or number: another user's, project's or account's. */
export function refuseUnknownMemory(ctx: ServiceContext, scope: MemoryScope, by: string | number): GatewayError {
  noteIfForeignMemory(ctx, scope, by)
  return new GatewayError('not_found', 'There is no such memory.')
}

/** Not awaited, like `noteIfForeign`. */
export function noteIfForeignMemory(ctx: ServiceContext, scope: MemoryScope, by: string | number): void {
  if (!isMemoryName(by)) return
  const noted = async () => {
    const target = await findForeignMemory(ctx.services.db, scope, by)
    if (target !== undefined) await deny(ctx, 'memory', target)
  }
  noted().catch((error: unknown) => {
    ctx.log.warn({ err: error, kind: 'memory' }, 'denied access not written down')
  })
}

/** Not awaited, like `noteIfForeign`: `id` is our id of a thread that is known to be another resource's. */
export function noteForeignThread(ctx: ServiceContext, id: string): void {
  deny(ctx, 'thread', id).catch((error: unknown) => {
    ctx.log.warn({ err: error, kind: 'thread' }, 'denied access not written down')
  })
}

async function note(ctx: Omit<Context, 'turn'>, kind: TargetKind, id: string): Promise<void> {
  const target = await findForeign(ctx.services.db, ctx.caller, kind, id)
  if (target !== undefined) await deny(ctx, kind, target)
}

async function deny(
  ctx: Omit<Context, 'turn'> | ServiceContext,
  kind: TargetKind | 'thread',
  target: string,
): Promise<void> {
  const { db, events } = ctx.services
  const actor = actorOf(ctx)
  events.accessDenied(kind, actor.userId ?? actor.keyId ?? '', ctx.requestId)
  const { requestId } = ctx
  await insertAudit(db, { ...actor, requestId, action: 'access', target: `${kind}:${target}`, result: 'denied' })
}
