import { inTransaction } from '../../db/database.ts'
import type { BackendError } from '../../ports/memory-backend.ts'
import { createId } from '../ids.ts'
import { setResourceStatus } from '../resources/queries.ts'
import { lockSessionRow } from '../sessions/queries.ts'
import { advanceBatch, type BatchMark, finishBatch } from './advance-queries.ts'
import type { ClaimedSession } from './lease-queries.ts'
import type { BatchAnswer, BatchOutcome } from './outcome.ts'
import { type BatchRow, closeFollowing, insertExtraction, isExtracted, type OpenBatch } from './queries.ts'
import type { RelayDependencies } from './session-relay.ts'

const NOTHING_FOUND = 'NO_EXTRACTION'

/** The backend took the batch. `mark` is what this attempt left it at: another's later word counts more than ours. */
export async function recordSuccess(
  deps: RelayDependencies,
  session: ClaimedSession,
  batch: BatchRow,
  mark: BatchMark,
  answer: BatchAnswer,
): Promise<BatchOutcome> {
  const changesNothingElse = answer.status !== 'extracted' && (session.kind !== 'resource' || batch.action !== 'flush')
  if (changesNothingElse) {
    const finished = await finishBatch(deps.db, session, mark, answer.requestId)
    if (finished === 'gone') return { state: 'gone' }
    deps.events.batchRelayed(batch)
    return { state: 'relayed', answer, ...finished }
  }
  const change = { state: 'relayed' as const, reason: null, upstreamRequestId: answer.requestId, settleMs: null }
  const status = await inTransaction(deps.db, async (tx) => {
    await lockSessionRow(tx, session.id)
    if (!(await advanceBatch(tx, mark, change))) return undefined
    if (answer.status === 'extracted' && batch.position !== null) {
      // An add may keep its last message for the next extraction.
      const throughTimestamp = batch.action === 'flush' ? batch.position : batch.position - 1
      await insertExtraction(tx, session, { id: createId('ext'), throughTimestamp })
    }
    if (session.kind !== 'resource' || batch.action !== 'flush') return answer.status
    // The add may have extracted it already, and left the flush nothing.
    const found = await isExtracted(tx, session.id)
    await setResourceStatus(
      tx,
      session,
      found ? { status: 'extracted', error: null } : { status: 'failed', error: NOTHING_FOUND },
    )
    return found ? 'extracted' : answer.status
  })
  if (!status) return { state: 'gone' }
  deps.events.batchRelayed(batch)
  return { state: 'relayed', answer: { ...answer, status } }
}

/** The backend did not take the batch, or nobody knows. */
export async function recordFailure(
  deps: RelayDependencies,
  session: ClaimedSession,
  open: OpenBatch,
  mark: BatchMark,
  error: BackendError,
  isAwaited: boolean,
): Promise<BatchOutcome> {
  const { batch } = open
  // Being away is not the batch's fault.
  const attempts = error.outcome === 'not_accepted' ? batch.attempts : batch.attempts + 1
  const state = nextState(deps, open, attempts, error, isAwaited)
  const mayBeAtWork = error.outcome === 'unknown' && !error.answered
  // What an earlier attempt at a flush may still do, a later one that was refused does not end.
  const settleMs = mayBeAtWork ? deps.backend.settleMs : open.isUnsettled ? undefined : null
  const recorded = await inTransaction(deps.db, async (tx) => {
    await lockSessionRow(tx, session.id)
    if (!(await advanceBatch(tx, mark, { state, attempts, reason: error.code, settleMs }))) return false
    if (session.kind === 'resource' && (state === 'rejected' || state === 'failed')) {
      await closeFollowing(tx, batch, session.id, { state, reason: error.code })
      await setResourceStatus(tx, session, { status: 'failed', error: error.code })
    }
    return true
  })
  if (!recorded) return { state: 'gone' }
  deps.events.batchNotRelayed(batch, state, error.code, attempts)
  if (state === 'rejected' || state === 'failed') return { state, code: error.code, message: error.message }
  return { state: 'waiting', code: error.code }
}

function nextState(
  deps: RelayDependencies,
  { batch, isTooOld }: OpenBatch,
  attempts: number,
  error: BackendError,
  isAwaited: boolean,
): 'rejected' | 'failed' | 'stored' | 'unknown' {
  if (error.outcome === 'rejected') return 'rejected'
  // What was accepted with a 202 waits for the operator; who still waits is told.
  if ((error.needsOperator && isAwaited) || isTooOld || attempts >= deps.attempts) return 'failed'
  // A flush may be repeated without harm: it looks for what is lost when it finds nothing to extract.
  if (batch.action === 'flush') return 'stored'
  return error.outcome === 'unknown' || batch.state !== 'stored' ? 'unknown' : 'stored'
}
