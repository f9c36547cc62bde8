import type { Context } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { findForeign, insertAudit, type TargetKind } from './queries.ts'
import { actorOf } from './record-audit.ts'

const NAMES: Record<TargetKind, string> = {
  attachment: 'attachment',
  key: 'key',
  operation: 'operation',
  resource: 'resource',
  user: 'user',
}

/**
 * The `not_found` for an id that is not the caller's. An unknown id and another user's get the same answer; the latter is
 * counted, and kept in the audit log.
 */
export async function refuseUnknown(ctx: Omit<Context, 'turn'>, kind: TargetKind, id: string): Promise<GatewayError> {
  await noteIfForeign(ctx, kind, id)
  return new GatewayError('not_found', `There is no such ${NAMES[kind]}.`)
}

/** Nobody's request fails because the note could not be made. */
export async function noteIfForeign(ctx: Omit<Context, 'turn'>, kind: TargetKind, id: string): Promise<void> {
  const { db, events } = ctx.services
  try {
    const target = await findForeign(db, ctx.caller, kind, id)
    if (target === undefined) return
    events.accessDenied(kind, ctx.caller.userId, ctx.requestId)
    await insertAudit(db, {
      ...actorOf(ctx),
      requestId: ctx.requestId,
      action: 'access',
      target: `${kind}:${target}`,
      result: 'denied',
    })
  } catch (error) {
    ctx.log.warn({ err: error, kind }, 'denied access not written down')
  }
}
