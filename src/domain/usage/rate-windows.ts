import type { RateLimits } from '../../config/config.ts'
import type { Database } from '../../db/database.ts'
import type { RatePeriod } from '../../db/schema/usage-counters.ts'
import type { Log } from '../../observability/logger.ts'
import { addToWindows, windowName } from './rate-queries.ts'

/** What a request of the chat proxy and of its threads counts as. */
export type RateScope = 'llm_proxy' | 'memory_read' | 'memory_write'

export type RateMetric = RateScope | 'all'

/** One window of one key. */
export interface Window {
  /** Id of the key. */
  readonly subject: string
  readonly metric: RateMetric
  readonly period: RatePeriod
  readonly startsAt: Date
}

/** The limit that is nearest to its end. */
export interface RateState {
  readonly limit: number
  readonly remaining: number
  readonly resetAt: Date
}

export type RateVerdict = RateState & { readonly isAllowed: boolean }

interface Count extends Window {
  readonly endsAt: number
  /** Of all replicas, as the database last said. */
  shared: number
  /** On their way to the database. */
  sent: number
  /** Counted here since. */
  pending: number
}

interface Rule {
  readonly metric: RateMetric
  readonly period: RatePeriod
  readonly limit: number
}

const SHARE_MS = 1_000
const LENGTH_MS: Readonly<Record<RatePeriod, number>> = { rate_10s: 10_000, rate_60s: 60_000 }

/**
 * How many requests each key sent in the fixed windows of 10 and 60 seconds that its limits are for. A request is counted in memory and costs no query; about once a second
 * what was counted is added to what the other replicas counted, in one statement, and what that makes is known here. So one process
 * lets through exactly what a limit allows; several together as much more as they get in about a second.
 */
export class RateWindows {
  readonly #db: Database
  readonly #log: Log
  readonly #rules: Readonly<Record<RateScope, readonly Rule[]>>
  readonly #counts = new Map<string, Count>()
  #timer: NodeJS.Timeout | undefined
  #isClosed = false
  #sharing: Promise<void> = Promise.resolve()

  constructor(db: Database, log: Log, limits: RateLimits) {
    this.#db = db
    this.#log = log
    this.#rules = rulesOf(limits)
  }

  /** Counts a request, unless a limit of its scope is reached: then it is counted in none. Undefined if no limit holds. */
  count(keyId: string, scope: RateScope, at = Date.now()): RateVerdict | undefined {
    const rules = this.#rules[scope]
    if (rules.length === 0) return undefined
    const windows = rules.map((rule) => ({ rule, count: this.#countOf(keyId, rule, at) }))
    const full = windows.filter(({ rule, count }) => usedIn(count) >= rule.limit)
    if (full.length > 0) return { ...latest(full.map(stateOf)), isAllowed: false }
    for (const { count } of windows) count.pending++
    if (!this.#isClosed) this.#timer ??= setTimeout(() => void this.share(), SHARE_MS).unref()
    return { ...tightest(windows.map(stateOf)), isAllowed: true }
  }

  /** Takes back a request that was counted and then refused for another reason. */
  takeBack(keyId: string, scope: RateScope, at: number): void {
    for (const rule of this.#rules[scope]) this.#countOf(keyId, rule, at).pending--
  }

  /** Tells the other replicas what was counted here until now, and learns what they have counted. What cannot be told is kept for the next time. */
  share(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#sharing = this.#sharing.then(() => this.#exchange())
    return this.#sharing
  }

  /** Tells them for the last time. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.share()
  }

  async #exchange(): Promise<void> {
    const now = Date.now()
    for (const [key, { endsAt }] of this.#counts) if (endsAt <= now) this.#counts.delete(key)
    const news = [...this.#counts.values()].filter(({ pending }) => pending !== 0)
    if (news.length === 0) return
    for (const count of news) {
      count.sent = count.pending
      count.pending = 0
    }
    try {
      const totals = await addToWindows(
        this.#db,
        news.map(({ subject, metric, period, startsAt, sent }) => ({ subject, metric, period, startsAt, count: sent })),
      )
      for (const count of news) count.shared = totals.get(windowName(count)) ?? count.shared + count.sent
    } catch (error) {
      this.#log.warn({ err: error }, 'requests not shared with other replicas, it will be tried again')
      for (const count of news) count.pending += count.sent
    } finally {
      for (const count of news) count.sent = 0
    }
  }

  #countOf(subject: string, { metric, period }: Rule, at: number): Count {
    const length = LENGTH_MS[period]
    const start = Math.floor(at / length) * length
    const window: Window = { subject, metric, period, startsAt: new Date(start) }
    const name = windowName(window)
    const known = this.#counts.get(name)
    if (known) return known
    const count: Count = { ...window, endsAt: start + length, shared: 0, sent: 0, pending: 0 }
    this.#counts.set(name, count)
    return count
  }
}

function rulesOf(limits: RateLimits): Record<RateScope, Rule[]> {
  const rules = (...given: Rule[]) => given.filter(({ limit }) => limit > 0)
  const all: Rule = { metric: 'all', period: 'rate_60s', limit: limits.all }
  return {
    llm_proxy: rules(
      { metric: 'llm_proxy', period: 'rate_10s', limit: limits.proxyInTenSeconds },
      { metric: 'llm_proxy', period: 'rate_60s', limit: limits.proxy },
      all,
    ),
    memory_read: rules({ metric: 'memory_read', period: 'rate_60s', limit: limits.memoryReads }, all),
    memory_write: rules({ metric: 'memory_write', period: 'rate_60s', limit: limits.memoryWrites }, all),
  }
}

function usedIn({ shared, sent, pending }: Count): number {
  return shared + sent + pending
}

function stateOf({ rule, count }: { rule: Rule; count: Count }): RateState {
  const remaining = Math.max(0, rule.limit - usedIn(count))
  return { limit: rule.limit, remaining, resetAt: new Date(count.endsAt) }
}

/** Of limits with as much left, the one that lasts longest. */
function tightest(states: readonly RateState[]): RateState {
  return states.reduce((one, other) =>
    other.remaining < one.remaining || (other.remaining === one.remaining && other.resetAt > one.resetAt) ? other : one,
  )
}

/** Before it ends, nothing gets through. */
function latest(states: readonly RateState[]): RateState {
  return states.reduce((one, other) => (other.resetAt > one.resetAt ? other : one))
}
