import type { SystemContext } from '../context.ts'
import { resumeSessions } from '../relay/resume-sessions.ts'
import { discardReceiving } from '../sessions/discard-batch.ts'
import { deleteObjects } from './delete-objects.ts'
import { selectAbandoned, selectDeleting } from './queries.ts'

const PAGE = 100
/** Longer than the jobs of a session wait between two attempts. */
const STALLED_MS = 600_000

/**
 * Removes uploads that stopped half-way longer than the grace time ago, deletes objects that nothing refers to, and
 * relays sessions whose work no one is doing.
 */
export async function sweepOrphans(ctx: SystemContext, graceMs: number): Promise<void> {
  const { db } = ctx.services
  for (const batch of await selectAbandoned(db, graceMs, PAGE)) await discardReceiving(ctx, batch, batch.id)
  const swept = await deleteObjects(ctx, await selectDeleting(db, PAGE))
  if (swept > 0) ctx.services.events.objectsSwept(swept)
  await resumeSessions(ctx, STALLED_MS)
}
