import { createHash } from 'node:crypto'
import type { EmbeddingModel } from '../../../../ports/embedding-model.ts'
import { backgroundSimilarity, UNRELATED } from './background-similarity.ts'
import { isAboutTexts } from './refused-texts.ts'

/** A search waits for no longer: it has its words. */
const SEARCH_MS = 1_500
/** After a failure searches go on without the model for so long, rather than wait for it each time. */
const REST_MS = 10_000
const MOST_KEPT = 500
const LONGEST_QUERY = 2_000

/** Vectors of what is asked. A few are kept: pages and repeated chats ask the same again. */
export class QueryVectors {
  readonly #model: EmbeddingModel
  /** By the hash of the question: nobody's words stay in memory. */
  readonly #kept = new Map<string, Float32Array>()
  #background: number | undefined
  /** Of `performance.now()`. */
  #restsUntil = 0

  constructor(model: EmbeddingModel) {
    this.#model = model
  }

  /** The similarity of texts that have nothing in common; known once there is a vector. */
  get background(): number {
    return this.#background ?? 0
  }

  /** Undefined if the model does not answer in time, or did not a moment ago. An aborted `signal` rejects with its reason. */
  async of(query: string, signal?: AbortSignal): Promise<Float32Array | undefined> {
    const text = query.trim().slice(0, LONGEST_QUERY).toWellFormed()
    const name = createHash('sha256').update(text).digest('base64')
    const kept = this.#kept.get(name)
    if (kept) this.#keep(name, kept)
    if (kept || performance.now() < this.#restsUntil) return kept
    const limit = AbortSignal.timeout(SEARCH_MS)
    try {
      const vector = await this.#ask(text, signal ? AbortSignal.any([signal, limit]) : limit)
      if (vector) this.#keep(name, vector)
      return vector
    } catch (error) {
      signal?.throwIfAborted()
      if (!isAboutTexts(error)) this.#restsUntil = performance.now() + REST_MS
      return undefined
    }
  }

  async #ask(text: string, signal: AbortSignal): Promise<Float32Array | undefined> {
    const more = this.#background === undefined ? UNRELATED : []
    const [vector, ...others] = await this.#model.embed([text, ...more], signal)
    if (others.length > 0) this.#background = backgroundSimilarity(others)
    return vector
  }

  #keep(name: string, vector: Float32Array): void {
    this.#kept.delete(name)
    this.#kept.set(name, vector)
    if (this.#kept.size <= MOST_KEPT) return
    const [oldest] = this.#kept.keys()
    if (oldest !== undefined) this.#kept.delete(oldest)
  }
}
