import { findAccount } from '../accounts/queries.ts'
import type { ServiceContext } from '../context.ts'
import { planNamed } from './limits.ts'
import type { Metric } from './meter.ts'
import { periodStart } from './periods.ts'
import { selectCounters, sumOfMonths } from './queries.ts'

export interface AccountUsage {
  readonly plan: string | null
  /** Of the current month, all keys together. */
  readonly month: Readonly<Record<Metric, number>>
  /** Of all months. */
  readonly requests: number
  /** What the account's plan allows; null: no limit. */
  readonly requestsPerMonth: number | null
}

/** What a key may know of its account: totals, and nothing of other keys. What other replicas counted in the last second may be missing. */
export async function accountUsage(ctx: ServiceContext, at: Date = new Date()): Promise<AccountUsage> {
  const { db, usage } = ctx.services
  const { accountId } = ctx.service
  await usage.flush()
  const account = await findAccount(db, accountId)
  const plan = account?.plan ?? null
  const counters = await selectCounters(db, [accountId], [{ period: 'month', startsAt: periodStart('month', at) }])
  const used = (metric: Metric) => counters.find((row) => row.metric === metric)?.count ?? 0
  return {
    plan,
    month: { requests: used('requests'), adds: used('adds'), searches: used('searches'), tokens: used('tokens') },
    requests: await sumOfMonths(db, accountId, 'requests'),
    requestsPerMonth: planNamed(ctx, plan).requestsPerMonth ?? null,
  }
}
