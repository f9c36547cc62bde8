import type { Database } from '../../../../db/database.ts'
import type { EmbeddingModel } from '../../../../ports/embedding-model.ts'
import type { BackgroundProgress } from '../../../../ports/memory-backend.ts'
import type { EngineSession, Partition } from '../queries.ts'
import type { SearchRange } from '../retrieval/queries.ts'
import type { RankedMemory } from '../retrieval/score.ts'
import { Backfill } from './backfill.ts'
import { EmbedQueue, type QueueLog } from './embed-queue.ts'
import { findNearest } from './find-nearest.ts'
import { fuseRankings } from './fuse-rankings.ts'
import { NearestIndex, type WithOwnSession } from './nearest-index.ts'
import { QueryVectors } from './query-vectors.ts'
import { countWaiting, enqueue } from './queue-queries.ts'
import { lastTurnBefore, TextNames } from './text-names.ts'
import { VectorCache } from './vector-cache.ts'
import { openVectorExtension, type VectorExtension, VectorSpace } from './vector-extension.ts'

export type { WithOwnSession }

export interface EmbeddingsOptions {
  readonly db: Database
  readonly model: EmbeddingModel
  readonly log: QueueLog
  /** For statements that take long. */
  readonly withOwnSession: WithOwnSession
  /** False: pgvector is left alone, even if the database has it. */
  readonly usesExtension?: boolean
}

/** Of one `tend`. */
const WORK_MS = 3_000
/** Batches that are embedded at once while many texts wait. */
const BATCHES_AT_ONCE = 3
const MOST_COUNTED = 10_000
const SOON_MS = 100
const LATEST_MS = 60_000

export interface FusedRanking {
  readonly ranked: readonly RankedMemory[]
  /** False: the model did not answer, and `ranked` goes by words alone. */
  readonly isHybrid: boolean
}

/** What the embedding model knows of all memories. */
export class Embeddings {
  readonly #db: Database
  readonly #model: EmbeddingModel
  readonly #options: EmbeddingsOptions
  readonly #queue: EmbedQueue
  readonly #backfill: Backfill
  readonly #queries: QueryVectors
  readonly #index: NearestIndex
  readonly #cache = new VectorCache()
  readonly #closing = new AbortController()
  #extension: Promise<VectorExtension | undefined> | undefined
  #space: VectorSpace | undefined
  #draining: Promise<void> | undefined
  /** Of the latest question's vector. */
  #dimensions: number | undefined
  #isWoken = false

  constructor(options: EmbeddingsOptions) {
    const { db, model, log, withOwnSession } = options
    this.#db = db
    this.#model = model
    this.#options = options
    this.#queue = new EmbedQueue(db, model, log)
    this.#backfill = new Backfill(db, model.model)
    this.#queries = new QueryVectors(model)
    this.#index = new NearestIndex(db, withOwnSession, log)
  }

  /** For what is said in a session from `timestamp` on. */
  async namesFor(session: EngineSession, timestamp: number): Promise<TextNames> {
    return new TextNames(await lastTurnBefore(this.#db, session, timestamp))
  }

  /** New texts of a partition: they wait for the model, which is asked at once, but not waited for. Never rejects: what is missed is found later. */
  async noticed(partition: Partition, hashes: readonly string[]): Promise<void> {
    try {
      await this.#backfill.markInUse()
      await enqueue(this.#db, this.#model.model, partition, hashes)
    } catch {
      this.#backfill.walkSoon()
    }
    this.#wake()
  }

  /** Fuses a ranking by words with one by meaning. `rankByWords` runs while the model is asked. */
  async fuse(
    range: SearchRange,
    query: string,
    rankByWords: Promise<readonly RankedMemory[]>,
    signal?: AbortSignal,
  ): Promise<FusedRanking> {
    const isMarked = this.#backfill.markInUse().catch(() => undefined)
    const [words, vector] = await Promise.all([rankByWords, this.#queries.of(query, signal), isMarked])
    if (!vector) return { ranked: words, isHybrid: false }
    this.#dimensions = vector.length
    const space = await this.#spaceOf(vector.length)
    const hasIndex = space !== undefined && space.canBeWalked && this.#index.isWholeFor(space)
    const store = { model: this.#model.model, cache: this.#cache, space, hasIndex }
    const found = words.map(({ id }) => id)
    const near = await findNearest(this.#db, store, range, vector, found)
    return { ranked: fuseRankings(words, near, this.#queries.background), isHybrid: true }
  }

  /** A bounded piece of what waits for the model, of all partitions. */
  async tend(signal?: AbortSignal): Promise<BackgroundProgress> {
    const until = performance.now() + WORK_MS
    await this.#backfill.markInUse()
    await this.#backfill.walk(until, signal)
    await this.#drain(until, signal)
    const { waiting, dueInMs } = await countWaiting(this.#db, this.#model.model, MOST_COUNTED)
    const isTidy = waiting > 0 || this.#backfill.isWalking || (await this.#backfill.tidy(until, signal))
    const remaining = waiting + Number(this.#backfill.isWalking) + Number(!isTidy)
    if (remaining === 0) return { remaining }
    const isBusy = this.#backfill.isWalking || !isTidy
    const wait = isBusy ? SOON_MS : Math.max(dueInMs ?? LATEST_MS, this.#queue.pauseMs, SOON_MS)
    return { remaining, againInMs: Math.ceil(Math.min(wait, LATEST_MS)) }
  }

  /** What was read of a partition is not kept any longer. */
  forget(partition: Partition): void {
    this.#cache.forget(partition)
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('The memory backend is closing.'))
    await this.#draining
    await this.#index.close()
    await this.#model.close()
  }

  /** Resolves when nothing that was begun by itself is under way. */
  async settled(): Promise<void> {
    await this.#draining
    await this.#index.settled()
  }

  #wake(): void {
    this.#isWoken = true
    this.#draining ??= this.#drainWhileWoken().finally(() => (this.#draining = undefined))
  }

  async #drainWhileWoken(): Promise<void> {
    const { signal } = this.#closing
    while (this.#isWoken && !signal.aborted) {
      this.#isWoken = false
      try {
        while (await this.#queue.embedBatch(signal));
      } catch (error) {
        if (!signal.aborted) this.#options.log.warn({ err: error }, 'texts wait for their embedding')
      }
    }
  }

  async #drain(until: number, signal: AbortSignal | undefined): Promise<void> {
    const stop = signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal
    const run = async () => {
      while (performance.now() < until && (await this.#queue.embedBatch(stop)));
    }
    await Promise.all([this.#draining, ...Array.from({ length: BATCHES_AT_ONCE }, run)])
    stop.throwIfAborted()
    const dimensions = this.#queue.dimensions ?? this.#dimensions
    const space = dimensions === undefined ? undefined : await this.#spaceOf(dimensions)
    if (space) await this.#index.ensure(space)
  }

  async #spaceOf(dimensions: number): Promise<VectorSpace | undefined> {
    if (this.#options.usesExtension === false) return undefined
    this.#extension ??= openVectorExtension(this.#db).catch(() => {
      this.#extension = undefined
      return undefined
    })
    const extension = await this.#extension
    if (!extension) return undefined
    if (this.#space?.dimensions !== dimensions) this.#space = new VectorSpace(extension, this.#model.model, dimensions)
    return this.#space
  }
}
