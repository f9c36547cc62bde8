import { BackendError } from '../../ports/memory-backend.ts'
import { selectUnflushed } from '../sessions/queries.ts'
import { backendMessages, upstreamOf } from './backend-messages.ts'
import type { ClaimedSession } from './lease-queries.ts'
import { type BatchRow, selectBatchContent } from './queries.ts'
import type { RelayDependencies } from './session-relay.ts'

/**
 * Which of these messages, and of those relayed since the session's last flush, the backend lacks: by batch, in their
 * order. An extraction that breaks off may drop what it had taken out of the buffer, the messages of earlier calls too.
 */
export async function findLost(
  deps: RelayDependencies,
  session: ClaimedSession,
  batch: BatchRow,
  own: readonly number[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, ReadonlySet<number>>> {
  const relayed = await selectUnflushed(deps.db, session.id, batch.position ?? 0)
  const asked = [...relayed, ...own.map((upstreamTimestamp) => ({ batchId: batch.id, upstreamTimestamp }))]
  const lost = new Map<string, Set<number>>()
  if (asked.length === 0) return lost
  const times = asked.map(({ upstreamTimestamp }) => upstreamTimestamp)
  const missing = new Set(await look(deps, session, times, signal))
  for (const { batchId, upstreamTimestamp } of asked) {
    if (!missing.has(upstreamTimestamp)) continue
    const ofBatch = lost.get(batchId) ?? new Set()
    lost.set(batchId, ofBatch.add(upstreamTimestamp))
  }
  return lost
}

/** However the look fails, it says nothing of the messages: they stay `unknown`. */
async function look(
  deps: RelayDependencies,
  session: ClaimedSession,
  timestamps: readonly number[],
  signal: AbortSignal,
): Promise<readonly number[]> {
  try {
    return await deps.backend.findMissing(upstreamOf(session), timestamps, signal)
  } catch (error) {
    if (!(error instanceof BackendError)) throw error
    const { code, message, needsOperator } = error
    throw new BackendError('not_accepted', code, message, { cause: error, needsOperator })
  }
}

/** Adds the lost messages of earlier batches anew. */
export async function sendLost(
  deps: RelayDependencies,
  session: ClaimedSession,
  lost: ReadonlyMap<string, ReadonlySet<number>>,
  signal: AbortSignal,
): Promise<void> {
  for (const [batchId, times] of lost) {
    const content = await selectBatchContent(deps.db, batchId)
    const messages = backendMessages(deps.objectStore, session, content).filter(({ timestamp }) => times.has(timestamp))
    deps.events.messagesSentAgain(batchId, messages.length)
    await deps.backend.add(upstreamOf(session), messages, signal)
  }
}
