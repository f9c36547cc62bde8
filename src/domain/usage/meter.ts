import type { ServiceContext } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { emitRateLimitedInBackground } from '../webhooks/emit-rate-limited.ts'
import { type Limit, limitsFor } from './limits.ts'
import { periodEnd, periodStart } from './periods.ts'
import { type BoundedUse, countWithin } from './queries.ts'

/** What is counted. `requests` is every request of a service key. */
export type Metric = 'requests' | 'adds' | 'searches' | 'tokens'

/** The limit that is nearest to its end. */
export interface QuotaState {
  readonly metric: Metric
  readonly limit: number
  readonly remaining: number
  readonly resetAt: Date
}

type Bound = Limit & BoundedUse

/**
 * Counts a use by the key and its account. `rate_limited` beyond the requests of a minute, `quota_exceeded` beyond any other limit of
 * their plans: then nothing of the call is counted, so count all that one request does in one call. Resolves with the tightest of the limits on what is
 * counted; undefined if none holds. `unavailable` if their plan is not configured.
 *
 * Tokens are known afterwards only: those that were used are counted, also beyond the limit. `tokens: 0` before asks whether there are any left, and so
 * does 0 of any other metric.
 */
export async function meter(
  ctx: ServiceContext,
  uses: Partial<Record<Metric, number>>,
  at: Date = new Date(),
): Promise<QuotaState | undefined> {
  const { db, usage } = ctx.services
  const bounds = limitsFor(ctx).flatMap((limit) => {
    const count = uses[limit.metric]
    return count === undefined ? [] : [boundOf(limit, count, at)]
  })
  refuseFull(
    bounds.map((bound) => ({ bound, count: usage.atLeast(bound) })),
    at,
  )
  const { fits, before } = bounds.length > 0 ? await countWithin(db, bounds) : { fits: true, before: [] }
  if (!fits) {
    const stands = bounds.map((bound, index) => ({ bound, count: before[index] ?? 0 }))
    for (const { bound, count } of stands) usage.noteFull(bound, count)
    tellOfLimit(ctx, stands, at)
    refuseFull(stands, at)
  }
  countUnlimited(ctx, uses, bounds, at)
  return tightest(bounds, before)
}

type Stand = { readonly bound: Bound; readonly count: number }

/** When a limit is found to be hit; the requests that are refused for it afterwards are not told of. */
function tellOfLimit(ctx: ServiceContext, stands: readonly Stand[], at: Date): void {
  const full = stands.find(({ bound, count }) => count > bound.most)
  if (!full) return
  const { metric, limit, period, startsAt } = full.bound
  const retryAfter = Math.max(1, Math.ceil((periodEnd(period, startsAt).getTime() - at.getTime()) / 1_000))
  emitRateLimitedInBackground(ctx, { metric, period, limit, retryAfter })
}

/** Of several that have no room, it names the one that lasts longest. */
function refuseFull(stands: readonly Stand[], at: Date): void {
  const full = stands.filter(({ bound, count }) => count > bound.most)
  const ends = ({ bound }: (typeof full)[number]) => periodEnd(bound.period, bound.startsAt).getTime()
  const [last] = full.toSorted((one, other) => ends(other) - ends(one))
  if (last) throw refusal(last.bound, last.count, at)
}

function boundOf(limit: Limit, count: number, at: Date): Bound {
  const isUsed = limit.metric === 'tokens' && count > 0
  const most = isUsed ? Number.MAX_SAFE_INTEGER : limit.limit - Math.max(count, 1)
  return { ...limit, count, most, startsAt: periodStart(limit.period, at) }
}

/** What no limit looks at need not be written at once. By key and day for who asks; by account and month for a plan that is given later. */
function countUnlimited(
  ctx: ServiceContext,
  uses: Partial<Record<Metric, number>>,
  bounds: readonly Bound[],
  at: Date,
): void {
  const { accountId, keyId } = ctx.service
  for (const [metric, count] of Object.entries(uses) as [Metric, number][]) {
    if (count === 0) continue
    for (const subject of [accountId, keyId]) {
      for (const period of ['day', 'month'] as const) {
        const isCounted = bounds.some(
          (bound) => bound.subject === subject && bound.metric === metric && bound.period === period,
        )
        if (!isCounted) ctx.services.usage.add({ subject, metric, period, startsAt: periodStart(period, at) }, count)
      }
    }
  }
}

function tightest(bounds: readonly Bound[], before: readonly number[]): QuotaState | undefined {
  const states = bounds.map((bound, index): QuotaState => {
    const remaining = Math.max(0, bound.limit - (before[index] ?? 0) - bound.count)
    return {
      metric: bound.metric,
      limit: bound.limit,
      remaining,
      resetAt: periodEnd(bound.period, bound.startsAt),
    }
  })
  // Of equals the one that lasts longer.
  const byRoom = (one: QuotaState, other: QuotaState) =>
    one.remaining - other.remaining || other.resetAt.getTime() - one.resetAt.getTime()
  return states.toSorted(byRoom)[0]
}

function refusal({ of, metric, period, limit, startsAt, count }: Bound, counted: number, at: Date): GatewayError {
  const resetAt = periodEnd(period, startsAt)
  const remaining = Math.max(0, limit - counted)
  const what = `${limit} ${metric} a ${period}`
  const whose = of === 'account' ? 'This account' : 'This API key'
  const more = remaining > 0 ? ` ${remaining} are left, and this request needs ${count}.` : ''
  return new GatewayError(
    metric === 'requests' && period === 'minute' ? 'rate_limited' : 'quota_exceeded',
    `${whose} may use ${what}.${more} Try again after ${resetAt.toISOString()}, or ask for another plan.`,
    {
      retryAfter: Math.max(1, Math.ceil((resetAt.getTime() - at.getTime()) / 1000)),
      details: { metric, limit, remaining, reset_at: resetAt.toISOString(), period, of },
    },
  )
}
