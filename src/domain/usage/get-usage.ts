import { keyRealm, unknownAccount } from '../accounts/key-realm.ts'
import { type AccountRow, findAccount } from '../accounts/queries.ts'
import type { OperatorContext, Plan, ServiceContext } from '../context.ts'
import { type Cursor, decodeCursor, toPage } from '../cursor.ts'
import { GatewayError } from '../errors.ts'
import { parseInput } from '../parse-input.ts'
import { isKeptInstant } from '../text-schemas.ts'
import { limitsOf } from './limits.ts'
import type { Metric } from './meter.ts'
import { periodEnd, periodStart } from './periods.ts'
import { countVisible, selectCounters, selectDays } from './queries.ts'
import { UsageInput } from './schemas.ts'

export type Used = Readonly<Record<Metric, number>>

/** What one key used on one day. */
export interface DayOfUsage extends Used {
  /** YYYY-MM-DD, UTC. */
  readonly date: string
  readonly keyId: string
}

export interface LimitState {
  readonly metric: Metric | 'memories'
  /** Null: it holds at any time. */
  readonly period: 'minute' | 'day' | 'month' | null
  readonly limit: number
  readonly used: number
  readonly remaining: number
  readonly resetAt: Date | null
}

export interface Usage {
  readonly account: AccountRow
  /** Dates, both included. */
  readonly from: string
  readonly to: string
  /** Earliest first; a day on which a key was not used is left out. */
  readonly days: readonly DayOfUsage[]
  readonly nextCursor: string | null
  /** Of the current month, all keys together. */
  readonly month: Used & { readonly startsAt: Date }
  /** That are in sight now. */
  readonly memories: number
  /** Of the account's plan; null if that is not configured. */
  readonly limits: readonly LimitState[] | null
}

/**
 * What an account used. `input`: `from` and `to`, dates of UTC that are both included (default: the current month until today), `cursor`, and `limit` up to 1000 for
 * `days`. A key that works in one project alone sees the days of its project's keys. What other replicas counted in the last second may be missing.
 */
export async function getUsage(
  ctx: OperatorContext | ServiceContext,
  accountId: string,
  input: unknown = {},
  at: Date = new Date(),
): Promise<Usage> {
  const { cursor, limit, ...range } = parseInput(UsageInput, input)
  const { db, plans, usage } = ctx.services
  const realm = keyRealm(ctx, accountId)
  const account = await findAccount(db, accountId)
  if (!account) throw unknownAccount()
  const { from, to } = rangeOf(range, at)
  await usage.flush()
  const until = new Date(to.getTime() + 86_400_000)
  const rows = await selectDays(db, realm, { from, until }, { cursor: cursorOf(cursor), limit: limit + 1 })
  const page = toPage(rows, limit, (last) => ({ sort: last.startsAt.getTime(), id: last.keyId }))
  const periods = (['minute', 'day', 'month'] as const).map((period) => ({ period, startsAt: periodStart(period, at) }))
  const counters = await selectCounters(db, [accountId], periods)
  const used = (metric: Metric, period: string) =>
    counters.find((row) => row.metric === metric && row.period === period)?.count ?? 0
  const memories = await countVisible(db, accountId)
  const plan = account.plan === null ? {} : plans.get(account.plan)
  return {
    account,
    from: dateOf(from),
    to: dateOf(to),
    days: page.items.map(({ startsAt, ...day }) => ({ date: dateOf(startsAt), ...day })),
    nextCursor: page.nextCursor,
    month: {
      startsAt: periodStart('month', at),
      requests: used('requests', 'month'),
      adds: used('adds', 'month'),
      searches: used('searches', 'month'),
      tokens: used('tokens', 'month'),
    },
    memories,
    limits: plan ? statesOf(plan, accountId, at, used, memories) : null,
  }
}

function statesOf(
  plan: Plan,
  accountId: string,
  at: Date,
  usedIn: (metric: Metric, period: string) => number,
  memories: number,
): LimitState[] {
  const states = limitsOf(plan, 'account', accountId).map(({ metric, period, limit }): LimitState => {
    const used = usedIn(metric, period)
    const resetAt = periodEnd(period, periodStart(period, at))
    return { metric, period, limit, used, remaining: Math.max(0, limit - used), resetAt }
  })
  if (plan.memories === undefined) return states
  const remaining = Math.max(0, plan.memories - memories)
  return [
    ...states,
    { metric: 'memories', period: null, limit: plan.memories, used: memories, remaining, resetAt: null },
  ]
}

function rangeOf(range: { from?: string | undefined; to?: string | undefined }, at: Date): { from: Date; to: Date } {
  const to = range.to === undefined ? periodStart('day', at) : new Date(range.to)
  const from = range.from === undefined ? periodStart('month', to) : new Date(range.from)
  if (from <= to) return { from, to }
  const message = 'must not be after to'
  throw new GatewayError('invalid_request', `from: ${message}`, { details: { fields: [{ path: 'from', message }] } })
}

/** It ends at an instant. */
function cursorOf(text: string | undefined): Cursor | undefined {
  const cursor = decodeCursor(text)
  if (cursor === undefined || isKeptInstant(new Date(cursor.sort))) return cursor
  throw new GatewayError('invalid_request', 'cursor: send the next_cursor of the page before, or none.')
}

function dateOf(instant: Date): string {
  return instant.toISOString().slice(0, 10)
}
