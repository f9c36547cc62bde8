import type { Database } from '../../db/database.ts'
import type { SystemContext } from '../context.ts'
import { reopenBatches } from '../relay/reopen-batches.ts'
import { setResourceStatus } from '../resources/queries.ts'
import type { SessionRow } from '../sessions/queries.ts'

/**
 * Within a transaction that has locked the session: puts its batches that ended without success back in line, in their order. Returns how
 * many there were, and the session's last upstream timestamp.
 */
export async function requeueSession(
  tx: Database,
  ctx: SystemContext,
  session: SessionRow,
): Promise<{ count: number; lastUpstreamTimestamp: number }> {
  const reopened = await reopenBatches(tx, session, session, ['rejected', 'failed'])
  if (session.kind === 'resource') await setResourceStatus(tx, session, { status: 'processing', error: null })
  await ctx.services.jobs.enqueue(tx, { name: 'relay-session', sessionId: session.id })
  return reopened
}
