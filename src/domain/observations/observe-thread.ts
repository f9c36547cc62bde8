import { inTransaction } from '../../db/database.ts'
import { estimateTokens } from '../../text/estimate-tokens.ts'
import type { ServiceContext, SystemContext } from '../context.ts'
import { createId } from '../ids.ts'
import { MOST_MESSAGES, nextChunk } from './chunk.ts'
import { type Claim, ClaimLostError, claimThread } from './claim.ts'
import { appendToLog, lineCount, logAfter } from './log.ts'
import {
  type ObservedThread,
  selectMessagesBetween,
  selectObservedThread,
  selectSizesAfter,
  sumUnobserved,
} from './message-queries.ts'
import { observe } from './observe.ts'
import { insertNextGeneration, type RecordChanges, type RecordRow, updateClaimed } from './queries.ts'
import { reflect } from './reflect.ts'
import {
  chunksToActivate,
  isActivationDue,
  isBufferingDue,
  isOverfull,
  isReflectionBufferingDue,
  isReflectionDue,
  type Unobserved,
} from './thresholds.ts'
import { observedMessage } from './transcript.ts'

/** What the steps of the work on one thread share. */
interface Work {
  readonly ctx: ServiceContext
  readonly thread: ObservedThread
  readonly claim: Claim
}

/**
 * System scope: does what is due of a thread's observations, one step after the other, until nothing is. Each step is a write that holds
 * only while the thread is claimed; whatever is cut off, is done again. False if another process is at it: to be looked at again.
 */
export async function observeThread(ctx: SystemContext, threadId: string): Promise<boolean> {
  const thread = await selectObservedThread(ctx.services.db, threadId)
  if (!thread) return true
  const claim = await claimThread(ctx, thread)
  if (claim === 'gone') return true
  if (claim === 'held') return false
  try {
    await using held = claim
    await workOff({ ctx: contextOf(ctx, thread, held), thread, claim: held })
    return true
  } catch (error) {
    if (error instanceof ClaimLostError) return false
    throw error
  }
}

async function workOff(work: Work): Promise<void> {
  const { ctx, thread, claim } = work
  const { chatModel, db, observation: settings } = ctx.services
  let { record } = claim
  let mayPrepare = chatModel !== undefined
  for (;;) {
    ctx.signal.throwIfAborted()
    const unobserved = await sumUnobserved(db, thread, thread.id)
    const { observationTokens, buffered } = record
    if (buffered.length > 0 && isOverfull(unobserved, settings)) record = await activate(work, record, unobserved)
    else if (isBufferingDue(unobserved, settings)) record = await buffer(work, record)
    else if (buffered.length > 0 && isActivationDue(unobserved, settings)) {
      record = await activate(work, record, unobserved)
    } else if (isReflectionDue(observationTokens, settings)) {
      return startGeneration(work, record)
    } else if (
      mayPrepare &&
      record.bufferedReflection === null &&
      isReflectionBufferingDue(observationTokens, settings)
    ) {
      record = await bufferReflection(work, record)
      mayPrepare = false
    } else return
  }
}

/** Observes the next messages ahead of time: until they are activated, they are shown as they are. */
async function buffer(work: Work, record: RecordRow): Promise<RecordRow> {
  const { ctx, thread } = work
  const { db } = ctx.services
  const after = record.buffered.at(-1)?.through ?? record.observedThrough
  const chunk = nextChunk(await selectSizesAfter(db, thread, after, MOST_MESSAGES + 1))
  // Messages were counted, and are no more: their thread has gone.
  if (!chunk) throw new ClaimLostError('The messages to observe are gone.')
  const { through, tokens: messageTokens } = chunk
  await write(work, record, { work: 'observing' })
  const rows = await selectMessagesBetween(db, thread, after, through)
  const before = after === 0 ? undefined : after
  const observations = await observe(ctx, thread, record, rows.map(observedMessage), before)
  const tokens = estimateTokens(observations)
  return write(work, record, {
    buffered: [...record.buffered, { observations, tokens, messageTokens, through, at: Date.now() }],
    work: null,
  })
}

/** Buffered observations take the place of their messages. */
async function activate(work: Work, record: RecordRow, unobserved: Unobserved): Promise<RecordRow> {
  const count = chunksToActivate(record.buffered, unobserved, work.ctx.services.observation)
  const taken = record.buffered.slice(0, count)
  const observations = taken.reduce((log, chunk) => appendToLog(log, chunk.observations), record.observations)
  const through = taken.at(-1)?.through ?? record.observedThrough
  return write(work, record, {
    observations,
    observationTokens: estimateTokens(observations),
    observedThrough: through,
    lastObservedAt: new Date(through),
    totalTokensObserved: taken.reduce((sum, { messageTokens }) => sum + messageTokens, record.totalTokensObserved),
    buffered: record.buffered.slice(count),
  })
}

/** Has a reflection at hand for when it is due; what is observed meanwhile comes after it. */
async function bufferReflection(work: Work, record: RecordRow): Promise<RecordRow> {
  await write(work, record, { work: 'reflecting' })
  const { log, by } = await reflect(work.ctx, record.observations)
  // Rules need no preparation, and the model may be there again when it is due.
  if (by === 'rules') return write(work, record, { work: null })
  return write(work, record, { bufferedReflection: log, reflectedLines: lineCount(record.observations), work: null })
}

/** The reflection, and what was observed since it was made, become the next generation. The record as it was is kept. */
async function startGeneration(work: Work, record: RecordRow): Promise<void> {
  const { ctx, claim } = work
  if (record.bufferedReflection === null) await write(work, record, { work: 'reflecting' })
  const reflection = record.bufferedReflection ?? (await reflect(ctx, record.observations)).log
  const rest = logAfter(record.observations, record.reflectedLines ?? lineCount(record.observations))
  const text = appendToLog(reflection, rest)
  const next = await inTransaction(ctx.services.db, async (tx) => {
    const closed = { buffered: [], bufferedReflection: null, reflectedLines: null, work: null }
    const before = await updateClaimed(tx, record, claim.token, closed)
    if (!before) return undefined
    const observations = { text, tokens: estimateTokens(text) }
    return insertNextGeneration(tx, { ...before, buffered: record.buffered }, createId('obs'), observations)
  })
  if (!next) lost()
}

async function write({ ctx, claim }: Work, record: RecordRow, changes: RecordChanges): Promise<RecordRow> {
  return (await updateClaimed(ctx.services.db, record, claim.token, changes)) ?? lost()
}

function lost(): never {
  throw new ClaimLostError('The claim on the thread was lost.')
}

/** The gateway's own request for the thread's user: their account pays for the tokens. */
function contextOf(
  ctx: SystemContext,
  { accountId, projectId, accountPlan }: ObservedThread,
  claim: Claim,
): ServiceContext {
  const key = { keyId: 'observe-thread', scopes: ['read', 'write'] as const, keyPlan: null, isProjectLocked: true }
  return { ...ctx, signal: claim.signal, service: { accountId, projectId, accountPlan, ...key } }
}
