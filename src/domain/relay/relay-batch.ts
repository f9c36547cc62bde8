import { step } from '../../observability/steps.ts'
import { BackendError, type BackendSession } from '../../ports/memory-backend.ts'
import { backendMessages } from './backend-messages.ts'
import type { BatchAnswer, BatchOutcome } from './outcome.ts'
import { advanceBatch, type BatchMark, type ClaimedSession, type OpenBatch, selectBatchContent } from './queries.ts'
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
  if (open.isUnsettled) return { state: 'waiting', code: batch.reason ?? INTERRUPTED }
  let mark: BatchMark = batch
  /** Claims the batch for one sending; false if another process got there first, or the batch is gone. */
  const begin = async (): Promise<boolean> => {
    const sending: BatchMark = { id: batch.id, state: 'relaying', attempts: batch.attempts + 1 }
    const settleMs = batch.action === 'add' ? deps.backend.settleMs : null
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

function upstreamOf(session: ClaimedSession): BackendSession {
  return {
    projectId: session.upstreamProjectId,
    senderId: session.upstreamSenderId,
    sessionId: session.upstreamSessionId,
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
    const timestamps = all.map(({ timestamp }) => timestamp)
    const missing = await look(deps, session, timestamps, signal)
    if (missing.length === 0) return { requestId: batch.id, status: 'accumulated' }
    messages = all.filter(({ timestamp }) => missing.includes(timestamp))
  }
  if (!(await begin())) return undefined
  if (batch.attempts > 0) deps.events.messagesSentAgain(batch.id, messages.length)
  step('adding')
  const answer = await deps.backend.add(upstreamOf(session), messages, signal)
  step('added')
  return answer
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

async function flush(
  deps: RelayDependencies,
  session: ClaimedSession,
  { batch }: OpenBatch,
  begin: () => Promise<boolean>,
  signal: AbortSignal,
): Promise<BatchAnswer | undefined> {
  if (!(await begin())) return undefined
  step('flushing')
  const answer = await deps.backend.flush(upstreamOf(session), signal)
  step('flushed')
  // An attempt whose answer was lost may have extracted what this one no longer found.
  return batch.attempts > 0 ? { ...answer, status: 'extracted' } : answer
}
