import { setImmediate } from 'node:timers/promises'
import { beginExchange, type Exchange } from '../../domain/threads/exchange.ts'
import { openThread } from '../../domain/threads/open-thread.ts'
import { newTurnsWithoutMemory, type Recalled, recall } from '../../domain/threads/recall.ts'
import type { ThreadContext, ThreadRow } from '../../domain/threads/thread-context.ts'
import type { HttpContext } from '../../http/context.ts'
import { forResource } from '../../http/gateway-key.ts'
import type { SentChat } from './chat-format.ts'
import { ExchangeReader } from './exchange-reader.ts'
import type { Edit } from './json-spans.ts'
import type { ReceivedChat } from './received-chat.ts'
import { relayAnswer } from './relay-answer.ts'

/** Of those that are named in a header. */
const MAX_NAMED_MEMORIES = 20

interface Remembered {
  readonly edits: readonly Edit[]
  /** Index of the first of the sent turns that are new. */
  readonly newFrom: number
}

/**
 * Passes a chat on with what the thread and its user's memory add to it, and keeps what it brings: the new turns and the answer. Memory that is away or
 * slow holds nothing up: the chat goes on without. `not_found` for a thread of another resource.
 */
export async function chatWithThread(
  c: HttpContext,
  chat: ReceivedChat,
  names: { readonly threadId: string; readonly resourceId: string },
): Promise<void> {
  const { format } = chat.route
  const { edits, exchange } = await prepare(c, chat, names)
  const reader = new ExchangeReader(format, exchange, chat.model)
  try {
    const onBegun = () => chat[Symbol.dispose]()
    await relayAnswer(c, chat.toRequest(c, edits, true), { format, reader, onBegun })
  } finally {
    // A model that no provider has: nothing was asked.
    reader.cutOff()
  }
}

/** A function of its own: what the client sent, files and all, is let go before the answer comes. */
async function prepare(
  c: HttpContext,
  chat: ReceivedChat,
  { threadId, resourceId }: { readonly threadId: string; readonly resourceId: string },
): Promise<{ edits: readonly Edit[]; exchange: Exchange }> {
  const ctx = await forResource(c, chat.route.sender, resourceId)
  const thread = await openThread(ctx, threadId)
  c.set('ids', { threadId: thread.id })
  // Megabytes of text take a while to be read: others have their turn before and after.
  await setImmediate()
  const sent = chat.read()
  await setImmediate()
  const { edits, newFrom } = await remember(c, ctx, { thread, sent, chat })
  const exchange = beginExchange(ctx, thread, sent.turns.slice(newFrom))
  // Others of the user's need not wait for the model.
  ctx.turn[Symbol.dispose]()
  return { edits, exchange }
}

/** What memory adds to the chat; the answer's headers say what that was. */
async function remember(
  c: HttpContext,
  ctx: ThreadContext,
  { thread, sent, chat }: { thread: ThreadRow; sent: SentChat; chat: ReceivedChat },
): Promise<Remembered> {
  const start = performance.now()
  const recalled = await recallInTime(c, ctx, thread, sent, chat.model)
  const edits = recalled ? chat.inject(recalled) : []
  const { outgoing } = c.env
  outgoing.setHeader('X-Memory-Ms', Math.round(performance.now() - start))
  outgoing.setHeader('X-Memory-Status', recalled ? (edits.length > 0 ? 'used' : 'none') : 'unavailable')
  if (!recalled) return { edits, newFrom: newTurnsWithoutMemory(sent.turns) }
  const isUsed = edits.length > 0
  outgoing.setHeader('X-Memory-Messages', isUsed ? recalled.history.length : 0)
  outgoing.setHeader('X-Memory-Tokens', isUsed ? recalled.tokens : 0)
  const ids = isUsed ? recalled.memoryIds.slice(0, MAX_NAMED_MEMORIES) : []
  if (ids.length > 0) outgoing.setHeader('X-Memory-Ids', ids.join(','))
  return { edits, newFrom: recalled.newFrom }
}

/** Undefined if memory failed, or took too long. */
async function recallInTime(
  c: HttpContext,
  ctx: ThreadContext,
  thread: ThreadRow,
  sent: SentChat,
  model: string,
): Promise<Recalled | undefined> {
  const limit = Promise.withResolvers<undefined>()
  const stop = new AbortController()
  const timer = setTimeout(() => {
    stop.abort(new Error('Memory took too long.'))
    limit.resolve(undefined)
  }, c.get('services').config.memoryWaitMs)
  try {
    const options = { model, withHistory: !sent.serverState, signal: AbortSignal.any([stop.signal, ctx.signal]) }
    const recalled = await Promise.race([recall(ctx, thread, sent.turns, options), limit.promise])
    if (!recalled) ctx.log.warn({ threadId: thread.id }, 'a chat went on without its memory, which took too long')
    return recalled
  } catch (error) {
    ctx.signal.throwIfAborted()
    ctx.log.warn({ err: error, threadId: thread.id }, 'a chat went on without its memory, which failed')
    return undefined
  } finally {
    clearTimeout(timer)
  }
}
