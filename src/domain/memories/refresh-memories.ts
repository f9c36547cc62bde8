import { inTransaction } from '../../db/database.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, nothingElse, type UserContext } from '../context.ts'
import { requeueSession } from '../operations/requeue-session.ts'
import { lockExistingSession } from '../sessions/queries.ts'
import { pagesOf } from './forget-memories.ts'
import { userScope } from './memory-scope.ts'
import { indexStates } from './memory-stats.ts'
import type { MemoryRow } from './queries.ts'
import { relayInBackground } from './relay-in-background.ts'

export interface RefreshReport {
  /** In sight. */
  readonly memories: number
  /** Those that the backend had refused, or could not be given, and that it gets again now. */
  readonly requeued: number
}

/** Has the backend given again what it has not taken of the user's memories. What it has, it keeps. */
export async function refreshMemories(
  ctx: UserContext,
  also: AlsoStore<RefreshReport> = nothingElse,
): Promise<RefreshReport> {
  const scope = userScope(ctx, ctx.caller.userId)
  const report = { memories: 0, requeued: 0 }
  const sessions: string[] = []
  for await (const page of pagesOf(ctx, scope, {})) {
    const states = await indexStates(ctx, scope, page)
    for (const memory of page) {
      if (states.get(memory.id) === 'failed' && (await requeue(ctx, memory))) sessions.push(memory.sessionId)
    }
    report.memories += page.length
  }
  report.requeued = sessions.length
  await inTransaction(ctx.services.db, (tx) => also(tx, report))
  relayInBackground(ctx, sessions)
  return report
}

/** False if the memory went meanwhile. */
function requeue(ctx: UserContext, memory: MemoryRow): Promise<boolean> {
  return inTransaction(ctx.services.db, async (tx) => {
    const session = await lockExistingSession(tx, ctx.caller, memory.sessionId)
    if (!session) return false
    await requeueSession(tx, ctx, session)
    await recordAudit(tx, ctx, { action: 'operation.retry', target: memory.id })
    return true
  })
}
