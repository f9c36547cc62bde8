import { type Database, inTransaction } from '../../db/database.ts'
import type { SystemContext, UserContext } from '../context.ts'
import { createId } from '../ids.ts'
import { insertBatch } from '../relay/queries.ts'
import { setLastUpstreamTimestamp } from '../sessions/queries.ts'
import { lockQuietSession } from './queries.ts'

/** A thread in which nothing was said for so long is over, for now. */
export const QUIET_SECONDS = 600

/**
 * Has the backend extract a thread's new messages when the thread has fallen silent: nobody flushes a thread, and extracting may ask a model. They are
 * found before. In the transaction that stores them.
 */
export async function flushWhenQuiet(tx: Database, ctx: UserContext, sessionId: string): Promise<void> {
  await ctx.services.jobs.enqueue(tx, { name: 'flush-thread', sessionId })
}

/** System scope: flushes a thread's session if it has been quiet; if it has not, another job comes when it may be. */
export async function flushThread(ctx: SystemContext, sessionId: string): Promise<void> {
  const { db, jobs, relay } = ctx.services
  const isFlushed = await inTransaction(db, async (tx) => {
    const session = await lockQuietSession(tx, sessionId, QUIET_SECONDS)
    if (!session?.isUnflushed) return false
    if (!session.isQuiet) {
      await jobs.enqueue(tx, { name: 'flush-thread', sessionId })
      return false
    }
    const position = session.lastUpstreamTimestamp + 1
    await insertBatch(tx, session, { id: createId('bat'), action: 'flush', state: 'stored', sessionId, position })
    await setLastUpstreamTimestamp(tx, session, sessionId, position)
    await jobs.enqueue(tx, { name: 'relay-session', sessionId })
    return true
  })
  if (isFlushed) await relay.drain(sessionId)
}
