import type { Database } from '../../db/database.ts'
import type { UsagePeriod } from '../../db/schema/usage-counters.ts'
import type { Log } from '../../observability/logger.ts'
import type { Metric } from './meter.ts'
import { periodEnd } from './periods.ts'
import { addToCounters } from './queries.ts'

/** One of the things that are counted: so much of it, by this account or key, in this period. */
export interface Counter {
  /** Id of the account or the key. */
  readonly subject: string
  readonly metric: Metric
  readonly period: UsagePeriod
  readonly startsAt: Date
}

const FLUSH_MS = 1_000
const MAX_FULL = 10_000

/**
 * What this process knows of counters beside the database. Uses that no plan limits are counted here, and written down together every
 * second: one row is not written by every request. And counters that are at their limit are known, so that who goes on asking
 * costs the database nothing.
 */
export class UsageLedger {
  readonly #db: Database
  readonly #log: Log
  #pending = new Map<string, { counter: Counter; count: number }>()
  readonly #full = new Map<string, { count: number; until: number }>()
  readonly #memories = new Map<string, { count: number; newest: number }>()
  #timer: NodeJS.Timeout | undefined
  #isClosed = false
  #writing: Promise<void> = Promise.resolve()

  constructor(db: Database, log: Log) {
    this.#db = db
    this.#log = log
  }

  add(counter: Counter, count: number): void {
    const key = keyOf(counter)
    const before = this.#pending.get(key)?.count ?? 0
    this.#pending.set(key, { counter, count: before + count })
    if (!this.#isClosed) this.#timer ??= setTimeout(() => void this.flush(), FLUSH_MS).unref()
  }

  /** Writes down what has been added until now. What cannot be written is kept for the next time. */
  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    // One after the other: then who has flushed finds all that was added before, also what another flush was writing.
    this.#writing = this.#writing.then(() => this.#write())
    return this.#writing
  }

  /** Writes down what there is, for the last time. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.flush()
  }

  async #write(): Promise<void> {
    const uses = [...this.#pending.values()]
    if (uses.length === 0) return
    this.#pending = new Map()
    try {
      await addToCounters(
        this.#db,
        uses.map(({ counter, count }) => ({ ...counter, count })),
      )
    } catch (error) {
      this.#log.warn({ err: error }, 'usage not written down, it will be tried again')
      for (const { counter, count } of uses) this.add(counter, count)
    }
  }

  /** A counter stands at `count`, at least: within its period it only grows. */
  noteFull(counter: Counter, count: number): void {
    if (this.#full.size >= MAX_FULL) this.#forgetPast()
    this.#full.set(keyOf(counter), { count, until: periodEnd(counter.period, counter.startsAt).getTime() })
  }

  /** How far a counter is known to stand; 0 if nothing is known. */
  atLeast(counter: Counter): number {
    return this.#full.get(keyOf(counter))?.count ?? 0
  }

  /** An account had so many memories in sight, when the newest of all had this number. */
  noteMemories(accountId: string, count: number, newest: number): void {
    if (this.#memories.size >= MAX_FULL) this.#memories.clear()
    this.#memories.set(accountId, { count, newest })
  }

  /** The most that it can have by now; undefined if nothing is known. */
  memoriesAtMost(accountId: string, newest: number): number | undefined {
    const known = this.#memories.get(accountId)
    return known && known.count + (newest - known.newest)
  }

  #forgetPast(): void {
    for (const [key, { until }] of this.#full) if (until <= Date.now()) this.#full.delete(key)
    if (this.#full.size >= MAX_FULL) this.#full.clear()
  }
}

function keyOf({ subject, metric, period, startsAt }: Counter): string {
  return `${subject} ${metric} ${period} ${startsAt.getTime()}`
}
