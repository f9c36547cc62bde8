import type { Context } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { findForeign, insertAudit, type TargetKind } from './queries.ts'
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

async function note(ctx: Omit<Context, 'turn'>, kind: TargetKind, id: string): Promise<void> {
  const { db, events } = ctx.services
  const target = await findForeign(db, ctx.caller, kind, id)
  if (target === undefined) return
  events.accessDenied(kind, ctx.caller.userId, ctx.requestId)
  const { requestId } = ctx
  await insertAudit(db, { ...actorOf(ctx), requestId, action: 'access', target: `${kind}:${target}`, result: 'denied' })
}
