import { inTransaction } from '../../db/database.ts'
import type { SystemContext } from '../context.ts'
import { toJob } from './emit-event.ts'
import { deleteSomeOld, selectStalled } from './log-queries.ts'

/** The log of deliveries goes back so far. */
export const KEPT_DAYS = 30
/** After so long a delivery that is due has lost its job, or was never given one; if not, that one serves both. */
const STALLED_SECONDS = 120
const PAGE = 1_000

/** Deletes what is too old of the log, and takes up deliveries that have no job. */
export async function sweepDeliveries(ctx: SystemContext, deadline: number): Promise<void> {
  const { db, jobs } = ctx.services
  while ((await deleteSomeOld(db, KEPT_DAYS, PAGE)) === PAGE) {
    if (Date.now() > deadline || ctx.signal.aborted) return
  }
  const stalled = await selectStalled(db, STALLED_SECONDS, PAGE)
  if (stalled.length > 0) await inTransaction(db, (tx) => jobs.enqueueAll(tx, stalled.map(toJob)))
}
