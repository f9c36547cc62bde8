import { step } from '../../observability/steps.ts'
import { BackendError } from '../../ports/memory-backend.ts'
import { advanceBatch, type BatchMark } from './advance-queries.ts'
import { backendMessages, upstreamOf } from './backend-messages.ts'
import type { ClaimedSession } from './lease-queries.ts'
import { findLost, sendLost } from './lost-messages.ts'
import type { BatchAnswer, BatchOutcome } from './outcome.ts'
import { type OpenBatch, selectBatchContent } from './queries.ts'
import { recordFailure, recordSuccess } from './record-outcome.ts'
import type { RelayDependencies } from './session-relay.ts'

/** Why a batch is `relaying` although no one is at it: its process died. */
const INTERRUPTED = 'INTERRUPTED'

export interface Attempt {
  readonly signal: AbortSignal
  /** A caller waits for the outcome still, and can be told that an operator has to act. */
  isAwaited(): boolean
}

/** One attempt at one batch of a claimed session. Rejects only if its outcome cannot be recorded; the batch stays open then. */
export async function relayBatch(
  deps: RelayDependencies,
  session: ClaimedSession,
  open: OpenBatch,
  attempt: Attempt,
): Promise<BatchOutcome> {
  const { batch } = open
  // A flush may be repeated without harm; only whether it left its messages anywhere shows later.
  if (open.isUnsettled && batch.action === 'add') return { state: 'waiting', code: batch.reason ?? INTERRUPTED }
  let mark: BatchMark = batch
  /** Claims the batch for one sending; false if another process got there first, or the batch is gone. */
  const begin = async (): Promise<boolean> => {
    const sending: BatchMark = { id: batch.id, state: 'relaying', attempts: batch.attempts + 1 }
    const settleMs = open.isUnsettled ? undefined : deps.backend.settleMs
    const began = await advanceBatch(deps.db, mark, { ...sending, reason: INTERRUPTED, settleMs })
    if (began) mark = sending
    return began
  }
  try {
    const answer =
      batch.action === 'flush'
        ? await flush(deps, session, open, begin, attempt.signal)
        : await add(deps, session, open, begin, attempt.signal)
    return answer ? await recordSuccess(deps, session, batch, mark, answer) : { state: 'gone' }
  } catch (error) {
    if (!(error instanceof BackendError)) {
      deps.log.error({ err: error, batchId: batch.id }, 'batch not relayed for a fault of the gateway')
    }
    const failure =
      error instanceof BackendError
        ? error
        : new BackendError('unknown', 'INTERNAL', 'The gateway could not relay the batch.')
    return recordFailure(deps, session, open, mark, failure, attempt.isAwaited())
  }
}

async function add(
  deps: RelayDependencies,
  session: ClaimedSession,
  { batch }: OpenBatch,
  begin: () => Promise<boolean>,
  signal: AbortSignal,
): Promise<BatchAnswer | undefined> {
  const content = await selectBatchContent(deps.db, batch.id)
  const all = backendMessages(deps.objectStore, session, content)
  let messages = all
  if (batch.state !== 'stored') {
    const lost = new Map(
      await findLost(
        deps,
        session,
        batch,
        all.map(({ timestamp }) => timestamp),
        signal,
      ),
    )
    messages = all.filter(({ timestamp }) => lost.get(batch.id)?.has(timestamp))
    lost.delete(batch.id)
    await sendLost(deps, session, lost, signal)
    if (messages.length === 0) return { requestId: batch.id, status: 'accumulated' }
  }
  if (!(await begin())) return undefined
  if (batch.attempts > 0) deps.events.messagesSentAgain(batch.id, messages.length)
  step('adding')
  const answer = await deps.backend.add(upstreamOf(session), messages, signal)
  step('added')
  return answer
}

async function flush(
  deps: RelayDependencies,
  session: ClaimedSession,
  { batch, isUnsettled }: OpenBatch,
  begin: () => Promise<boolean>,
  signal: AbortSignal,
): Promise<BatchAnswer | undefined> {
  if (!(await begin())) return undefined
  step('flushing')
  const answer = await deps.backend.flush(upstreamOf(session), signal)
  step('flushed')
  if (batch.attempts === 0 || answer.status === 'extracted') return answer
  // An attempt that failed took from the buffer what this one no longer found: into memory, or nowhere.
  const lost = await findLost(deps, session, batch, [], signal)
  if (lost.size === 0) return { ...answer, status: 'extracted' }
  if (isUnsettled) throw new BackendError('not_accepted', 'EXTRACTING', 'An earlier flush may still be at work.')
  await sendLost(deps, session, lost, signal)
  return await deps.backend.flush(upstreamOf(session), signal)
}
