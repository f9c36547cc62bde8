import type { Database } from '../../../../db/database.ts'
import type { EmbeddingModel } from '../../../../ports/embedding-model.ts'
import { ModelError } from '../../../../ports/model-provider.ts'
import { embeddedText } from './embedded-text.ts'
import { type Claim, claimDue, dropUnused, postpone, readClaimed, storeVectors } from './queue-queries.ts'
import { isAboutTexts } from './refused-texts.ts'

export interface QueueLog {
  warn(details: object, message: string): void
}

/** Others take over what a process left behind when it died. */
const LEASE_MS = 120_000
const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 60_000
/** Tries of a text after which the process was gone: it may be what ends whoever embeds it. */
const MOST_ATTEMPTS = 20
/** A model that refuses this refuses everything: it is not the text. */
const HARMLESS = 'The weather is fine today.'

interface Waiting {
  readonly claim: Claim
  readonly text: string
}

/** Embeds what waits, in batches. No transaction is open while the model is asked. */
export class EmbedQueue {
  readonly #db: Database
  readonly #model: EmbeddingModel
  readonly #log: QueueLog
  #dimensions: number | undefined
  #failures = 0
  /** Of `performance.now()`. */
  #pausedUntil = 0

  constructor(db: Database, model: EmbeddingModel, log: QueueLog) {
    this.#db = db
    this.#model = model
    this.#log = log
  }

  /** Of the model's vectors; undefined until it made one. */
  get dimensions(): number | undefined {
    return this.#dimensions
  }

  /** Ms until the model is asked again, after it failed. */
  get pauseMs(): number {
    return Math.max(0, this.#pausedUntil - performance.now())
  }

  /** Embeds one batch. Returns whether there may be more to do now. */
  async embedBatch(signal?: AbortSignal): Promise<boolean> {
    if (this.pauseMs > 0) return false
    const claims = await claimDue(this.#db, this.#model.model, this.#model.batchSize, LEASE_MS)
    if (claims.length === 0) return false
    const memories = await readClaimed(this.#db, claims)
    const [unused, waiting]: [Claim[], Waiting[]] = [[], []]
    for (const [index, claim] of claims.entries()) {
      const found = memories[index]
      const text = found ? embeddedText(found.memory, found.before) : ''
      if (!found) unused.push(claim)
      else if (text.trim() === '' || claim.attempts > MOST_ATTEMPTS) await this.#refuse(claim)
      else waiting.push({ claim, text })
    }
    await dropUnused(this.#db, this.#model.model, unused)
    try {
      await this.#embed(waiting, signal)
      this.#failures = 0
    } catch (error) {
      await this.#pause(waiting, error, signal)
      return false
    }
    return claims.length === this.#model.batchSize
  }

  /** In halves where the model refuses the whole: one text must not keep the others from their vectors. */
  async #embed(waiting: readonly Waiting[], signal: AbortSignal | undefined): Promise<void> {
    if (waiting.length === 0) return
    try {
      const texts = waiting.map(({ text }) => text)
      const vectors = await this.#model.embed(texts, signal)
      this.#dimensions = vectors[0]?.length ?? this.#dimensions
      const rows = vectors.flatMap((vector, index) => {
        const claim = waiting[index]?.claim
        return claim ? [{ ...claim, vector }] : []
      })
      await storeVectors(this.#db, this.#model.model, rows)
    } catch (error) {
      if (!isAboutTexts(error)) throw error
      const [only] = waiting
      if (only && waiting.length === 1) return this.#refuseUnlessAll(only.claim, error, signal)
      const half = Math.ceil(waiting.length / 2)
      await this.#embed(waiting.slice(0, half), signal)
      await this.#embed(waiting.slice(half), signal)
    }
  }

  async #refuseUnlessAll(claim: Claim, error: ModelError, signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.#model.embed([HARMLESS], signal)
    } catch {
      throw new ModelError('unavailable', error.message, { cause: error })
    }
    await this.#refuse(claim)
    this.#log.warn({ model: this.#model.model, reason: error.message }, 'the embedding model refuses a text for good')
  }

  async #refuse(claim: Claim): Promise<void> {
    await postpone(this.#db, this.#model.model, [claim], null)
  }

  async #pause(waiting: readonly Waiting[], error: unknown, signal: AbortSignal | undefined): Promise<void> {
    const isModel = error instanceof ModelError
    if (!isModel && !signal?.aborted) throw error
    const asked = isModel && error.retryAfter !== undefined ? error.retryAfter * 1_000 : 0
    const pause = Math.min(Math.max(FIRST_PAUSE_MS * 2 ** this.#failures, asked), Math.max(LONGEST_PAUSE_MS, asked))
    if (isModel) {
      this.#failures++
      this.#pausedUntil = performance.now() + pause
      this.#log.warn(
        { model: this.#model.model, reason: error.message, pauseMs: pause },
        'texts wait for their embedding',
      )
    }
    const claims = waiting.map(({ claim }) => claim)
    await postpone(this.#db, this.#model.model, claims, isModel ? pause : 0)
  }
}
