import { setTimeout as sleep } from 'node:timers/promises'
import type { BackgroundProgress } from '../../../../ports/memory-backend.ts'
import { ModelError } from '../../../../ports/model-provider.ts'
import { InvalidAnswerError } from '../../../../prompts/ask-for-json.ts'
import type { EngineSession } from '../queries.ts'
import { deleteOldUse, tomorrow } from './budget.ts'
import { ClaimLostError, type DrawOptions, drawFacts, nextWindow, storeFacts } from './draw-facts.ts'
import { BudgetSpentError } from './metered-model.ts'
import type { ModelLogger } from './model-events.ts'
import { type Claim, claimNext, claimSession, countWaiting, postponeSession, renewClaim } from './queries.ts'
import type { Window } from './window.ts'

export interface ExtractorOptions extends DrawOptions {
  readonly logger?: ModelLogger | undefined
  /** Ms that a flush waits for its facts. */
  readonly waitMs?: number | undefined
}

export interface FactExtractor {
  /** Draws facts from what is due in the session; resolves when that is done, or after a while: it goes on then. Never rejects. */
  draw(session: EngineSession, signal?: AbortSignal): Promise<void>
  /** Goes on with whatever session is due. */
  tend(signal?: AbortSignal): Promise<BackgroundProgress>
  /** Gives up what is under way: another process may go on at once. */
  close(): Promise<void>
}

/** Below what a flush waits for by default (`RELAY_WAIT_MS`), so that its caller has an answer of the backend's. */
const WAIT_MS = 25_000
const TEND_MS = 10_000
/** Sessions that the model reads at the same time, for this process. */
const MOST_AT_ONCE = 4
const MOST_QUEUED = 200
/** Then others have their turn. */
const WINDOWS_IN_A_ROW = 10
const FIRST_DELAY_MS = 60_000
const LONGEST_DELAY_MS = 3_600_000
/** Tries of a window, an hour apart in the end: with a model that answers but to no use, and with one that is away or not set up. */
const MOST_TRIES = 5
const MOST_TRIES_AWAY = 100
const CLEAN_UP_MS = 6 * 3_600_000

export function createFactExtractor(options: ExtractorOptions): FactExtractor {
  return new Extractor(options)
}

class Extractor implements FactExtractor {
  readonly #options: ExtractorOptions
  readonly #closing = new AbortController()
  readonly #running = new Set<Promise<void>>()
  readonly #queue: (() => void)[] = []
  #slots = MOST_AT_ONCE
  #cleanUpAt = 0

  constructor(options: ExtractorOptions) {
    this.#options = options
  }

  async draw(session: EngineSession, signal?: AbortSignal): Promise<void> {
    if (this.#closing.signal.aborted || this.#queue.length >= MOST_QUEUED) return
    const work = this.#start(() => claimSession(this.#options.db, session))
    await settledWithin(work, this.#options.waitMs ?? WAIT_MS, signal)
  }

  async tend(signal?: AbortSignal): Promise<BackgroundProgress> {
    const { db, events } = this.#options
    await this.#cleanUp()
    const started: Promise<void>[] = []
    while (this.#slots > 0 && !this.#closing.signal.aborted) {
      const claim = await claimNext(db)
      if (!claim) break
      started.push(this.#start(() => Promise.resolve(claim)))
    }
    await settledWithin(Promise.all(started), TEND_MS, signal)
    const { waiting, dueInMs } = await countWaiting(db)
    events?.sessionsWaiting(waiting)
    if (waiting === 0) return { remaining: 0 }
    // What is being read has its claim's end as its time; there is no use in asking all the while.
    return { remaining: waiting, againInMs: this.#slots > 0 ? dueInMs : Math.max(dueInMs, 1_000) }
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('The backend was closed.'))
    for (const begin of this.#queue.splice(0)) begin()
    await Promise.all(this.#running)
  }

  /** Works on a session once there is a free slot. Never rejects. */
  #start(claim: () => Promise<Claim | undefined>): Promise<void> {
    const work = this.#work(claim).finally(() => this.#running.delete(work))
    this.#running.add(work)
    return work
  }

  async #work(claim: () => Promise<Claim | undefined>): Promise<void> {
    if (this.#slots > 0) this.#slots--
    else await new Promise<void>((resolve) => this.#queue.push(resolve))
    try {
      if (this.#closing.signal.aborted) return
      const claimed = await claim()
      if (claimed) await this.#read(claimed)
    } catch (error) {
      // The claim runs out, and somebody tries again.
      if (!(error instanceof ClaimLostError))
        this.#options.logger?.warn({ err: error }, 'facts not drawn for now: the database failed')
    } finally {
      const next = this.#queue.shift()
      if (next) next()
      else this.#slots++
    }
  }

  async #read(claimed: Claim): Promise<void> {
    const { db } = this.#options
    let claim = claimed
    for (let windows = 0; windows < WINDOWS_IN_A_ROW; windows++) {
      const window = await nextWindow(db, claim)
      const outcome = await this.#readWindow(claim, window)
      if (outcome === 'stop') return
      const renewed = await renewClaim(db, claim)
      // Nobody holds a session that is read to its end.
      if (!renewed) return
      claim = renewed
    }
    await postponeSession(db, claim, { due: 0, attempts: 0, error: null })
  }

  async #readWindow(claim: Claim, window: Window | undefined): Promise<'go on' | 'stop'> {
    const { db, events } = this.#options
    const signal = this.#closing.signal
    const read = window ?? { earlier: [], messages: [], through: claim.flushedThrough }
    try {
      const { facts, dropped } = await drawFacts(this.#options, claim, read, signal)
      await storeFacts(this.#options, claim, read, facts)
      events?.factsStored(facts.length, dropped)
      return 'go on'
    } catch (error) {
      if (signal.aborted) {
        await postponeSession(db, claim, { due: 0, attempts: claim.attempts, error: null })
        return 'stop'
      }
      if (error instanceof BudgetSpentError) {
        await postponeSession(db, claim, { due: tomorrow(), attempts: claim.attempts, error: error.message })
        return 'stop'
      }
      if (!isModelFailure(error)) throw error
      return await this.#retryLater(claim, read, error)
    }
  }

  async #retryLater(claim: Claim, window: Window, error: Error): Promise<'go on' | 'stop'> {
    const { db, events, logger } = this.#options
    const tries = claim.attempts + 1
    const isAnswered =
      error instanceof InvalidAnswerError ||
      (error instanceof ModelError && error.failure === 'rejected' && !error.needsOperator)
    if (tries >= (isAnswered ? MOST_TRIES : MOST_TRIES_AWAY)) {
      await storeFacts(this.#options, claim, window, [])
      events?.factsGivenUp(tries, error.message)
      return 'go on'
    }
    const asked = error instanceof ModelError ? (error.retryAfter ?? 0) * 1_000 : 0
    const due = Math.min(LONGEST_DELAY_MS, Math.max(asked, FIRST_DELAY_MS * 4 ** Math.min(claim.attempts, 10)))
    await postponeSession(db, claim, { due, attempts: tries, error: error.message })
    logger?.warn({ reason: error.message, tries, againInMs: due }, 'facts not drawn for now: the chat model failed')
    return 'stop'
  }

  async #cleanUp(): Promise<void> {
    if (performance.now() < this.#cleanUpAt) return
    this.#cleanUpAt = performance.now() + CLEAN_UP_MS
    await deleteOldUse(this.#options.db)
  }
}

function isModelFailure(error: unknown): error is Error {
  return error instanceof ModelError || (error instanceof Error && error.name === 'TimeoutError')
}

/** Resolves when the work is done, after a while, or when the caller gives up; never rejects for the latter two. */
async function settledWithin(work: Promise<unknown>, ms: number, signal: AbortSignal | undefined): Promise<void> {
  const done = new AbortController()
  const until = signal ? AbortSignal.any([signal, done.signal]) : done.signal
  const waited = sleep(ms, undefined, { signal: until, ref: false }).catch(() => undefined)
  await Promise.race([work, waited])
  done.abort()
}
