import { inTransaction } from '../../db/database.ts'
import { type AddResult, BackendError, type BackendSession, type FlushResult } from '../../ports/memory-backend.ts'
import { createId } from '../ids.ts'
import { setResourceStatus } from '../resources/queries.ts'
import { backendMessages } from './backend-messages.ts'
import type { BatchOutcome } from './outcome.ts'
import {
  type BatchRow,
  type ClaimedSession,
  closeFollowing,
  insertExtraction,
  isExtracted,
  selectBatchContent,
  setBatchState,
} from './queries.ts'
import type { RelayDependencies } from './session-relay.ts'

/** Why a batch is `relaying` although no one is at it: its process died. */
const INTERRUPTED = 'INTERRUPTED'
const NOTHING_FOUND = 'NO_EXTRACTION'

/**
 * One attempt at one batch of a claimed session. Rejects only if its outcome cannot be recorded; the batch stays open then.
 * `isAwaited`: a caller waits for the outcome, and can be told that an operator has to act.
 */
export async function relayBatch(
  deps: RelayDependencies,
  session: ClaimedSession,
  batch: BatchRow,
  attempt: { readonly signal: AbortSignal; readonly isAwaited: boolean },
): Promise<BatchOutcome> {
  const { signal } = attempt
  const upstream = {
    projectId: session.upstreamProjectId,
    senderId: session.upstreamSenderId,
    sessionId: session.upstreamSessionId,
  }
  if (isUnsettled(batch)) return { state: 'waiting', code: batch.reason ?? INTERRUPTED }
  const attempts = batch.attempts + 1
  try {
    const answer =
      batch.action === 'flush'
        ? await flush(deps, upstream, batch, attempts, signal)
        : await add(deps, session, upstream, batch, attempts, signal)
    if (!answer) return { state: 'gone' }
    return await recordSuccess(deps, session, batch, answer)
  } catch (error) {
    if (!(error instanceof BackendError))
      deps.log.error({ err: error, batchId: batch.id }, 'batch not relayed for a fault of the gateway')
    const failure =
      error instanceof BackendError
        ? error
        : new BackendError('unknown', 'INTERNAL', 'The gateway could not relay the batch.')
    const counted = failure.outcome === 'not_accepted' ? batch.attempts : attempts
    return recordFailure(deps, session, { ...batch, attempts: counted }, failure, attempt.isAwaited)
  }
}

/** After a lost answer the backend may still be at work: what it says it lacks may yet arrive. */
function isUnsettled(batch: BatchRow): boolean {
  return batch.settlesAt !== null && batch.settlesAt.getTime() > Date.now()
}

async function add(
  deps: RelayDependencies,
  session: ClaimedSession,
  upstream: BackendSession,
  batch: BatchRow,
  attempts: number,
  signal: AbortSignal,
): Promise<AddResult | undefined> {
  const content = await selectBatchContent(deps.db, batch.id)
  const all = backendMessages(deps.objectStore, session, content)
  let messages = all
  if (batch.state !== 'stored') {
    const timestamps = all.map(({ timestamp }) => timestamp)
    const missing = await look(deps, upstream, timestamps, signal)
    if (missing.length === 0) return { requestId: batch.id, messageCount: all.length, status: 'accumulated' }
    messages = all.filter(({ timestamp }) => missing.includes(timestamp))
    deps.events.messagesSentAgain(batch.id, messages.length)
  }
  const settlesAt = new Date(Date.now() + deps.backend.settleMs)
  if (!(await setBatchState(deps.db, batch.id, { state: 'relaying', attempts, reason: INTERRUPTED, settlesAt }))) {
    return undefined
  }
  const answer = await deps.backend.add(upstream, messages, signal)
  return { ...answer, messageCount: all.length }
}

/** However the look fails, it says nothing of the messages: they stay `unknown`. */
async function look(
  deps: RelayDependencies,
  upstream: BackendSession,
  timestamps: readonly number[],
  signal: AbortSignal,
): Promise<readonly number[]> {
  try {
    return await deps.backend.findMissing(upstream, timestamps, signal)
  } catch (error) {
    if (!(error instanceof BackendError)) throw error
    throw new BackendError('not_accepted', error.code, error.message, {
      cause: error,
      needsOperator: error.needsOperator,
    })
  }
}

async function flush(
  deps: RelayDependencies,
  upstream: BackendSession,
  batch: BatchRow,
  attempts: number,
  signal: AbortSignal,
): Promise<FlushResult | undefined> {
  if (!(await setBatchState(deps.db, batch.id, { state: 'relaying', attempts, reason: INTERRUPTED }))) return undefined
  const answer = await deps.backend.flush(upstream, signal)
  // An attempt whose answer was lost may have extracted what this one no longer found.
  return batch.attempts > 0 ? { ...answer, status: 'extracted' } : answer
}

async function recordSuccess(
  deps: RelayDependencies,
  session: ClaimedSession,
  batch: BatchRow,
  answer: AddResult | FlushResult,
): Promise<BatchOutcome> {
  const recorded = await inTransaction(deps.db, async (tx) => {
    const open = await setBatchState(tx, batch.id, {
      state: 'relayed',
      reason: null,
      upstreamRequestId: answer.requestId,
      settlesAt: null,
    })
    if (!open) return false
    if (answer.status === 'extracted' && batch.position !== null) {
      await insertExtraction(tx, session, {
        id: createId('ext'),
        // An add may keep its last message for the next extraction.
        throughTimestamp: batch.action === 'flush' ? batch.position : batch.position - 1,
      })
    }
    if (session.kind === 'resource' && batch.action === 'flush') {
      const found = await isExtracted(tx, session.id)
      await setResourceStatus(
        tx,
        session,
        found ? { status: 'extracted', error: null } : { status: 'failed', error: NOTHING_FOUND },
      )
    }
    return true
  })
  if (!recorded) return { state: 'gone' }
  deps.events.batchRelayed(batch)
  return { state: 'relayed', answer }
}

async function recordFailure(
  deps: RelayDependencies,
  session: ClaimedSession,
  batch: BatchRow,
  error: BackendError,
  isAwaited: boolean,
): Promise<BatchOutcome> {
  const state = nextState(deps, batch, error, isAwaited)
  const mayBeAtWork = batch.action === 'add' && error.outcome === 'unknown' && !error.answered
  const settlesAt = mayBeAtWork ? new Date(Date.now() + deps.backend.settleMs) : null
  const recorded = await inTransaction(deps.db, async (tx) => {
    if (!(await setBatchState(tx, batch.id, { state, attempts: batch.attempts, reason: error.code, settlesAt }))) {
      return false
    }
    if (session.kind === 'resource' && (state === 'rejected' || state === 'failed')) {
      await closeFollowing(tx, batch, session.id, { state, reason: error.code })
      await setResourceStatus(tx, session, { status: 'failed', error: error.code })
    }
    return true
  })
  if (!recorded) return { state: 'gone' }
  deps.events.batchNotRelayed(batch, state, error.code, batch.attempts)
  if (state === 'rejected' || state === 'failed') return { state, code: error.code, message: error.message }
  return { state: 'waiting', code: error.code }
}

function nextState(
  deps: RelayDependencies,
  batch: BatchRow,
  error: BackendError,
  isAwaited: boolean,
): 'rejected' | 'failed' | 'stored' | 'unknown' {
  if (error.outcome === 'rejected') return 'rejected'
  const isTooOld = Date.now() - batch.openSince.getTime() > deps.giveUpMs
  // What was accepted with a 202 waits for the operator; who still waits is told.
  if ((error.needsOperator && isAwaited) || isTooOld || batch.attempts >= deps.attempts) return 'failed'
  // A flush may be repeated without harm, so its lost answer needs no looking.
  if (batch.action === 'flush') return 'stored'
  return error.outcome === 'unknown' || batch.state !== 'stored' ? 'unknown' : 'stored'
}
