import { inTransaction } from '../../db/database.ts'
import type { SystemContext } from '../context.ts'
import { selectStalledSessions } from '../relay/queries.ts'
import { discardReceiving } from '../sessions/discard-batch.ts'
import { deleteObjects } from './delete-objects.ts'
import { selectAbandoned, selectDeleting } from './queries.ts'

const PAGE = 100
/** Longer than a relay takes to be tried again by its own job. */
const STALLED_MS = 60_000

/**
 * Removes uploads that stopped half-way longer than the grace time ago, deletes objects that nothing refers to, and
 * puts sessions in line whose work no one is doing.
 */
export async function sweepOrphans(ctx: SystemContext, graceMs: number): Promise<void> {
  const { db } = ctx.services
  for (const batch of await selectAbandoned(db, graceMs, PAGE)) await discardReceiving(ctx, batch, batch.id)
  const swept = await deleteObjects(ctx, await selectDeleting(db, PAGE))
  if (swept > 0) ctx.services.events.objectsSwept(swept)
  await resumeStalled(ctx, STALLED_MS)
}

/** Enqueues the relay of sessions with open batches that nobody has touched for `olderThanMs`. */
export async function resumeStalled(ctx: SystemContext, olderThanMs: number): Promise<void> {
  for (const sessionId of await selectStalledSessions(ctx.services.db, olderThanMs, PAGE)) {
    await inTransaction(ctx.services.db, (tx) => ctx.services.jobs.enqueue(tx, { name: 'relay-session', sessionId }))
  }
}
