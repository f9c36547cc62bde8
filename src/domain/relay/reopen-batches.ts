import type { Database } from '../../db/database.ts'
import type { Owner } from '../context.ts'
import { moveMessages, type SessionRow, setLastUpstreamTimestamp } from '../sessions/queries.ts'
import { findLastRelayed, reopenBatch, selectEndedBatches } from './queries.ts'

/**
 * Puts a session's batches that ended without success back in line, in their order; the session's row is locked. One that
 * others have overtaken gets new times behind them: times in the backend only go up, and a look for the old ones would take a
 * later memory for it. Where it stands after that decides if a look can tell whether an earlier attempt arrived. Returns how many
 * there were, and the session's last upstream timestamp.
 */
export async function reopenBatches(
  tx: Database,
  owner: Owner,
  session: SessionRow,
  states: readonly ('rejected' | 'failed')[],
): Promise<{ count: number; lastUpstreamTimestamp: number }> {
  const ended = await selectEndedBatches(tx, owner, session.id, states)
  const lastRelayed = ended.length > 0 ? await findLastRelayed(tx, owner, session.id) : 0
  let last = session.lastUpstreamTimestamp
  for (const { batch, firstTimestamp } of ended) {
    const position = batch.position ?? 0
    // One attempt stands for all before: its messages may be there, so that sending them again is counted.
    const attempts = batch.state === 'failed' && batch.attempts > 0 ? 1 : 0
    if (position > lastRelayed) {
      const state = batch.action === 'add' && attempts > 0 ? 'unknown' : 'stored'
      await reopenBatch(tx, owner, batch.id, { state, position, attempts })
      continue
    }
    const delta = last + 1 - (firstTimestamp ?? position)
    if (batch.action === 'add') await moveMessages(tx, owner, batch.id, delta)
    last = position + delta
    await reopenBatch(tx, owner, batch.id, { state: 'stored', position: last, attempts })
  }
  if (last > session.lastUpstreamTimestamp) await setLastUpstreamTimestamp(tx, owner, session.id, last)
  return { count: ended.length, lastUpstreamTimestamp: last }
}
