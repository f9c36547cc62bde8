import { setImmediate } from 'node:timers/promises'
import type { Database } from '../../../../db/database.ts'
import { contentHash, embeddedText } from './embedded-text.ts'
import {
  deleteModelRows,
  enqueueScanned,
  type ModelRows,
  markInUse,
  modelsInUse,
  nextModelRows,
  scanPage,
} from './scan-queries.ts'

/** Small, as on PGlite a statement holds up the whole process. */
const PAGE = 200
/** What was missed, by a failure between a memory and its place in the queue, is found by then. */
const AGAIN_MS = 60 * 60_000

/** A process says so often that it uses its model, and is believed for so long; less than the time between walks, so that the next one finds a model out of use. */
const MARK_MS = 5 * 60_000
const IN_USE_MS = 30 * 60_000

const FIRST_ROWS: ModelRows = { projectId: '', senderId: '', model: '' }

/**
 * Walks through all memories, as the process starts and then once an hour, and has those wait for the model that it does not know; and, once it knows all,
 * deletes what models made that no process uses any more. Where it is stands in the process alone: to walk again is harmless.
 */
export class Backfill {
  readonly #db: Database
  readonly #model: string
  #after = ''
  #tidiedTo: ModelRows | undefined
  /** Of `performance.now()`. */
  #nextWalk = 0
  #nextMark = 0

  constructor(db: Database, model: string) {
    this.#db = db
    this.#model = model
  }

  get isWalking(): boolean {
    return performance.now() >= this.#nextWalk
  }

  /** Something may have been missed. */
  walkSoon(): void {
    this.#nextWalk = 0
  }

  /** Has other processes, which may use another model, leave alone what this one has made. */
  async markInUse(): Promise<void> {
    if (performance.now() < this.#nextMark) return
    this.#nextMark = performance.now() + MARK_MS
    try {
      await markInUse(this.#db, this.#model)
    } catch (error) {
      this.#nextMark = 0
      throw error
    }
  }

  /** Walks until it is through or `until` (of `performance.now()`). */
  async walk(until: number, signal?: AbortSignal): Promise<void> {
    while (this.isWalking && performance.now() < until) {
      signal?.throwIfAborted()
      await this.#page()
      await setImmediate()
    }
  }

  async #page(): Promise<void> {
    const { lacking, last } = await scanPage(this.#db, this.#model, this.#after, PAGE)
    const rows = lacking.map(({ id, projectId, senderId, contentHash: known, before, ...memory }) => ({
      id,
      projectId,
      senderId,
      contentHash: known ?? contentHash(embeddedText(memory, before)),
    }))
    await enqueueScanned(this.#db, this.#model, rows)
    this.#after = last ?? ''
    if (last !== undefined) return
    this.#nextWalk = performance.now() + AGAIN_MS
    this.#tidiedTo = FIRST_ROWS
  }

  /** After a walk, and once nothing waits for the model: deletes the vectors of models that are not asked any more. Returns whether it is through. */
  async tidy(until: number, signal?: AbortSignal): Promise<boolean> {
    if (!this.#tidiedTo) return true
    const kept = new Set([this.#model, ...(await modelsInUse(this.#db, IN_USE_MS))])
    while (this.#tidiedTo && performance.now() < until) {
      signal?.throwIfAborted()
      const next: ModelRows | undefined = await nextModelRows(this.#db, this.#tidiedTo)
      const isDone = !next || kept.has(next.model) || (await deleteModelRows(this.#db, next, PAGE)) < PAGE
      if (isDone) this.#tidiedTo = next
      await setImmediate()
    }
    return this.#tidiedTo === undefined
  }
}
