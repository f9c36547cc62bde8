import { setImmediate } from 'node:timers/promises'
import type { MessageMetadata } from '../../db/schema/messages.ts'
import { step } from '../../observability/steps.ts'
import type { SpoolSession } from '../attachments/spool.ts'
import { toGatewayError } from '../errors.ts'
import type { ResolvedMessage } from '../sessions/resolve-content.ts'
import type { ChatTurn } from './chat-turn.ts'
import { storeExchange } from './store-exchange.ts'
import { takeInTurns } from './take-in-turns.ts'
import type { ThreadContext, ThreadRow } from './thread-context.ts'

/** Of an exchange the newest so many are kept: a request of megabytes can hold tens of thousands of short ones. */
const MOST_TURNS = 2_000

/** What a client newly said in a thread, while the model answers. */
export interface Exchange {
  /**
   * Stores the turns and the answer to them, if there was one. Resolves when they are durable, or when it has given up: that is logged and
   * counted. It never rejects, and does it once however often it is called.
   */
  finish(answer: ChatTurn | undefined, meta: MessageMetadata): Promise<void>
  /** Nothing is kept, unless it was finished before. */
  abandon(): Promise<void>
}

/**
 * Takes the turns' files in at once, beside the call of the model. Never throws: what cannot be kept becomes its placeholder. One of the
 * two methods must be called.
 */
export function beginExchange(ctx: ThreadContext, thread: ThreadRow, turns: readonly ChatTurn[]): Exchange {
  return new OpenExchange(ctx, thread, turns)
}

class OpenExchange implements Exchange {
  readonly #ctx: ThreadContext
  readonly #thread: ThreadRow
  readonly #spool: SpoolSession
  readonly #messages: Promise<ResolvedMessage[]>
  readonly #ended = Promise.withResolvers<void>()
  #end: Promise<void> | undefined

  constructor(ctx: ThreadContext, thread: ThreadRow, turns: readonly ChatTurn[]) {
    // The client may leave while its exchange is stored.
    this.#ctx = { ...ctx, signal: new AbortController().signal }
    this.#thread = thread
    // Nothing of a file stays in memory: many exchanges wait for their models at a time, and for long.
    this.#spool = ctx.services.spool.open({ memoryBytes: 0 })
    if (turns.length > MOST_TURNS) {
      ctx.log.warn(
        { threadId: thread.id, turns: turns.length },
        'of a very long exchange only the newest turns are kept',
      )
    }
    this.#messages = this.#takeIn(turns.slice(-MOST_TURNS))
    this.#messages.catch(() => {})
    ctx.services.exchanges.add(this.#ended.promise)
  }

  finish(answer: ChatTurn | undefined, meta: MessageMetadata): Promise<void> {
    return (this.#end ??= this.#close(() => this.#store(answer, meta)))
  }

  abandon(): Promise<void> {
    return (this.#end ??= this.#close(async () => {}))
  }

  async #takeIn(turns: readonly ChatTurn[]): Promise<ResolvedMessage[]> {
    // The request to the model goes out first.
    await setImmediate()
    const messages = await takeInTurns(this.#ctx, turns, this.#spool)
    step('exchange-taken-in')
    return messages
  }

  async #store(answer: ChatTurn | undefined, meta: MessageMetadata): Promise<void> {
    const messages = [...(await this.#messages)]
    for (const message of await takeInTurns(this.#ctx, answer ? [answer] : [], this.#spool)) {
      messages.push({ ...message, metadata: meta })
    }
    step('exchange-answered')
    if (messages.length > 0) await storeExchange(this.#ctx, this.#thread, messages)
  }

  async #close(work: () => Promise<void>): Promise<void> {
    const { services, log } = this.#ctx
    try {
      await work()
    } catch (error) {
      const { code } = toGatewayError(error)
      // Deleted, or its user erased, while the model answered.
      const isGone = code === 'not_found' || code === 'unauthenticated'
      services.events.exchangeNotStored(isGone ? 'thread_gone' : 'failed')
      const entry = { err: error, threadId: this.#thread.id }
      if (isGone) log.info(entry, 'exchange not stored: its thread is gone')
      else log.error(entry, 'exchange not stored')
    }
    try {
      // What is still being taken in has a file in the spool.
      await this.#messages.catch(() => {})
      await this.#spool[Symbol.asyncDispose]()
    } catch (error) {
      log.warn({ err: error }, 'files of an exchange left in the spool')
    } finally {
      this.#ended.resolve()
    }
  }
}
