import type { SystemContext } from '../context.ts'
import { resumeErasures } from '../erasure/continue-erasure.ts'
import { deleteOldKeys } from '../idempotency/queries.ts'
import { resumeSessions } from '../relay/resume-sessions.ts'
import { discardReceiving } from '../sessions/discard-batch.ts'
import { deleteOldSeenTurns } from '../transcripts/seen-turn-queries.ts'
import { deleteOldMinutes } from '../usage/queries.ts'
import { deleteOldWindows } from '../usage/rate-queries.ts'
import { sweepDeliveries } from '../webhooks/sweep-deliveries.ts'
import { deleteObjects } from './delete-objects.ts'
import { selectAbandoned, selectDeleting } from './queries.ts'

const PAGE = 100
/** A sweep begins each minute, and ends before the next. */
const BUDGET_MS = 45_000
/** Longer than the jobs of a session wait between two attempts. */
const STALLED_MS = 600_000
/** A put whose answer was lost has arrived in the store by then, or never will. */
const SETTLED_MS = 300_000

/**
 * Removes uploads that stopped half-way longer than the grace time ago, deletes objects that nothing refers to, and
 * takes up relays, erasures and deliveries whose work no one is doing. Lets go of old idempotency keys, of old deliveries, of hashes of turns, and
 * of what was used in minutes that are over.
 */
export async function sweepOrphans(ctx: SystemContext, graceMs: number): Promise<void> {
  const { db, events } = ctx.services
  const deadline = Date.now() + BUDGET_MS
  const settledMs = Math.min(SETTLED_MS, graceMs)
  for (const batch of await selectAbandoned(db, graceMs, PAGE)) await discardReceiving(ctx, batch, batch.id)
  for (let page = await selectDeleting(db, settledMs, PAGE); page.length > 0; ) {
    const gone = await deleteObjects(ctx, page)
    if (gone > 0) events.objectsSwept(gone)
    if (page.length < PAGE || gone === 0 || Date.now() > deadline || ctx.signal.aborted) break
    page = await selectDeleting(db, settledMs, PAGE)
  }
  await resumeSessions(ctx, STALLED_MS)
  await resumeErasures(ctx)
  await deleteOldKeys(db)
  await sweepDeliveries(ctx, deadline)
  await deleteOldSeenTurns(db)
  await deleteOldMinutes(db)
  await deleteOldWindows(db)
}
