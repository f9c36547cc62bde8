import type { Database } from '../../db/database.ts'
import type { AuditAction } from '../../db/schema/audit-log.ts'
import type { Context, SystemContext } from '../context.ts'
import { insertAudit } from './queries.ts'

interface Entry {
  readonly action: AuditAction
  /** Our id of what it was done to. */
  readonly target: string
  readonly bytes?: number
}

/** Writes down in the transaction of the effect who had it done. Without a caller it was the operator. */
export async function recordAudit(tx: Database, ctx: SystemContext | Context, entry: Entry): Promise<void> {
  await insertAudit(tx, { ...actorOf(ctx), ...entry, requestId: ctx.requestId, result: 'done' })
}

export function actorOf(ctx: SystemContext | Context): { userId: string | null; keyId: string | null } {
  return 'caller' in ctx ? { userId: ctx.caller.userId, keyId: ctx.caller.keyId } : { userId: null, keyId: 'admin' }
}
