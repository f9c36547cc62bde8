import { estimateTokens } from '../../text/estimate-tokens.ts'
import { type ShownObservations, shownObservations } from '../observations/shown-observations.ts'
import type { ChatTurn } from './chat-turn.ts'
import { historyBefore } from './history.ts'
import { historyFiles } from './history-files.ts'
import { afterLastAnswer, type KnownTurns, knownTurns } from './known-turns.ts'
import { memoryBlock } from './memory-block.ts'
import { chooseRelevant, findRelevant } from './relevant-memories.ts'
import { type StoredTurn, shownTurn, storedTurns } from './stored-turns.ts'
import type { ThreadContext, ThreadRow } from './thread-context.ts'

/** What memory adds to a chat. */
export interface Recalled {
  /** For a message of its own beside the client's instructions; undefined if there is nothing to say. */
  readonly block: string | undefined
  /** Turns of the thread before those that were sent. */
  readonly history: readonly ChatTurn[]
  /** Index of the first sent turn that is not stored yet; their number, if all are. */
  readonly newFrom: number
  /** Of the memories in the block. */
  readonly memoryIds: readonly string[]
  /** Of block and history: an estimate. */
  readonly tokens: number
}

export interface RecallOptions {
  /** `provider/model` */
  readonly model: string
  /** False if the provider keeps the conversation itself. */
  readonly withHistory: boolean
  /** After it, recall ends with what it has. */
  readonly signal: AbortSignal
}

/**
 * What the model is to be told beside what the client sent: observations and newest messages of the thread, and what the user's memory holds
 * on what they said last. Nothing of it comes from another user. A slow or failing backend leaves out the memories alone; rejects only if the
 * database fails. Stored files are read at most once, within `signal`.
 */
export async function recall(
  ctx: ThreadContext,
  thread: ThreadRow,
  sent: readonly ChatTurn[],
  options: RecallOptions,
): Promise<Recalled> {
  const bounds = ctx.services.recall
  const [{ stored, known, shown, history, files }, found] = await Promise.all([
    conversation(ctx, thread, sent, options),
    findRelevant(ctx, sent, options.signal),
  ])
  const seen = [...history, ...stored.filter((_, index) => known.resent.has(index))]
  const memories = chooseRelevant(found, { messageIds: new Set(seen.map(({ id }) => id)), sent }, bounds)
  const last = stored.at(-1)
  const variable = { memories, silenceMs: last && Date.now() - last.timestamp }
  const block = memoryBlock({ observations: shown?.observations, ...variable })
  const rest = memoryBlock({ observations: undefined, ...variable })
  return {
    block,
    history: history.map((turn) => shownTurn(turn, files.get(turn.id))),
    newFrom: known.newFrom,
    memoryIds: memories.map(({ id }) => id),
    tokens: (shown?.tokens ?? 0) + estimateTokens(rest ?? '') + history.reduce((sum, { tokens }) => sum + tokens, 0),
  }
}

interface Conversation {
  readonly stored: readonly StoredTurn[]
  readonly known: KnownTurns
  readonly shown: ShownObservations | undefined
  readonly history: readonly StoredTurn[]
  readonly files: Awaited<ReturnType<typeof historyFiles>>
}

async function conversation(
  ctx: ThreadContext,
  thread: ThreadRow,
  sent: readonly ChatTurn[],
  { model, withHistory, signal }: RecallOptions,
): Promise<Conversation> {
  const [shown, stored] = await Promise.all([
    shownObservations(ctx.services.db, ctx.caller, thread.id),
    storedTurns(ctx, thread),
  ])
  const known = await knownTurns(sent, stored)
  const observedThrough = shown?.observedThrough ?? 0
  const history = withHistory ? historyBefore(sent, stored, { resent: known.resent, observedThrough }) : []
  const files = await historyFiles({ ...ctx, signal: AbortSignal.any([ctx.signal, signal]) }, history, model)
  return { stored, known, shown, history, files }
}

/** As `newFrom`, where nothing is known of the thread: what follows the client's last answer. */
export function newTurnsWithoutMemory(sent: readonly ChatTurn[]): number {
  return afterLastAnswer(sent)
}
