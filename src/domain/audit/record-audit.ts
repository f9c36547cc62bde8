import type { Database } from '../../db/database.ts'
import type { AuditAction } from '../../db/schema/audit-log.ts'
import type { Context, OperatorContext, ServiceContext, SystemContext } from '../context.ts'
import { insertAudit, insertAudits } from './queries.ts'

interface Entry {
  readonly action: AuditAction
  /** Our id of what it was done to. */
  readonly target: string
  readonly bytes?: number
}

/** Writes down in the transaction of the effect who had it done. Without a key it was the operator. */
export async function recordAudit(
  tx: Database,
  ctx: OperatorContext | SystemContext | Context | ServiceContext,
  entry: Entry,
): Promise<void> {
  await insertAudit(tx, { ...actorOf(ctx), ...entry, requestId: ctx.requestId, result: 'done' })
}

/** The same of several. */
export async function recordAudits(
  tx: Database,
  ctx: SystemContext | Context | ServiceContext,
  action: AuditAction,
  targets: readonly string[],
): Promise<void> {
  const actor = actorOf(ctx)
  await insertAudits(
    tx,
    targets.map((target) => ({ ...actor, action, target, requestId: ctx.requestId, result: 'done' as const })),
  )
}

export function actorOf(ctx: OperatorContext | SystemContext | Context | ServiceContext): {
  userId: string | null
  keyId: string | null
} {
  if ('caller' in ctx) return { userId: ctx.caller.userId, keyId: ctx.caller.keyId }
  return { userId: null, keyId: 'service' in ctx ? ctx.service.keyId : 'admin' }
}
