import type { Database } from '../../db/database.ts'
import { inTransaction } from '../../db/database.ts'
import type { UserContext } from '../context.ts'
import { type ConversationMessage, extractMemories, type MemoryCandidate } from './extract-memories.ts'
import { extractByRules } from './rules/extract-by-rules.ts'
import { MAX_CONTENT } from './schemas.ts'
import { storeMemories } from './store-memories.ts'

/** As similar as this to a memory that the user has, a fact is no new one. */
const SAME_FACT = 0.95
/** Less than clients wait for an answer. */
const MODEL_WAIT_MS = 10_000
const MOST_SESSION_LABEL = 256

export interface FactSetting {
  /** Origin label of the memories. */
  readonly source: string
  readonly sessionId?: string | undefined
  /** Its scalar values become metadata of the memories. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
}

export interface Fact {
  readonly memory: Readonly<Record<string, unknown>>
  /** Indexes of the messages that say so. */
  readonly sources: readonly number[]
}

/**
 * What a user's messages have that is worth to be remembered, ready to be stored. Asks the chat model, if there is one. Of a message the
 * first 100,000 characters count, as many as a memory may have.
 */
export async function extractFacts(
  ctx: UserContext,
  messages: readonly ConversationMessage[],
  setting: FactSetting,
  waitMs = MODEL_WAIT_MS,
): Promise<readonly Fact[]> {
  const readable = messages.map(({ role, content }) => ({
    role,
    content: content.slice(0, MAX_CONTENT).toWellFormed(),
  }))
  const candidates = await extractWithin(ctx, readable, waitMs)
  return candidates.map((candidate) => ({ memory: toMemory(candidate, setting), sources: candidate.sources }))
}

/** Who sends turns waits for their facts: a model that takes longer is not waited for, and rules do its work. */
async function extractWithin(
  ctx: UserContext,
  messages: readonly ConversationMessage[],
  waitMs: number,
): Promise<readonly MemoryCandidate[]> {
  const limit = AbortSignal.timeout(waitMs)
  try {
    const bounded = { ...ctx, signal: AbortSignal.any([ctx.signal, limit]) }
    return (await extractMemories(bounded, messages)).candidates
  } catch (error) {
    ctx.signal.throwIfAborted()
    if (!limit.aborted) throw error
    ctx.log.warn('facts extracted by rules: the chat model took too long')
    const indexed = messages.map((message, index) => ({ ...message, index }))
    return extractByRules(indexed, {}).candidates
  }
}

function toMemory({ sources: _sources, ...fields }: MemoryCandidate, setting: FactSetting) {
  const { source, sessionId } = setting
  const metadata = {
    ...Object.fromEntries(Object.entries(setting.metadata ?? {}).filter(([, value]) => isScalar(value))),
    ...(sessionId !== undefined && { session_id: sessionId }),
  }
  const inSession = sessionId !== undefined && sessionId.length <= MOST_SESSION_LABEL
  return { ...fields, source, metadata, ...(inSession && { origin: { session_id: sessionId } }) }
}

function isScalar(value: unknown): boolean {
  return ['string', 'number', 'boolean'].includes(typeof value)
}

export interface StoreFactsOptions {
  /** Default true: those that the user has already are left out. */
  readonly onlyNew?: boolean
}

/** Stores facts in the transaction of `write`, or nothing of both. */
export async function storeFacts<T>(
  ctx: UserContext,
  facts: readonly Pick<Fact, 'memory'>[],
  write: (tx: Database) => Promise<T>,
  { onlyNew = true }: StoreFactsOptions = {},
): Promise<T> {
  if (facts.length === 0) return inTransaction(ctx.services.db, write)
  const written: T[] = []
  await storeMemories(ctx, facts, onlyNew ? { duplicatesFrom: SAME_FACT } : {}, async (tx) => {
    written[0] = await write(tx)
  })
  return written[0] as T
}
