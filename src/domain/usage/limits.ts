import type { UsagePeriod } from '../../db/schema/usage-counters.ts'
import type { OperatorContext, Plan, ServiceContext } from '../context.ts'
import { GatewayError } from '../errors.ts'
import type { Metric } from './meter.ts'

/** What a plan bounds, other than the memories that are kept. */
const BOUNDS = {
  requestsPerMinute: { metric: 'requests', period: 'minute' },
  requestsPerMonth: { metric: 'requests', period: 'month' },
  addsPerMonth: { metric: 'adds', period: 'month' },
  searchesPerDay: { metric: 'searches', period: 'day' },
  searchesPerMonth: { metric: 'searches', period: 'month' },
  tokensPerMonth: { metric: 'tokens', period: 'month' },
} as const satisfies Record<Exclude<keyof Plan, 'memories'>, { metric: Metric; period: UsagePeriod }>

/** What a plan bounds, of an account or of one of its keys. */
export interface Limit {
  readonly of: 'account' | 'key'
  /** Id of the account or the key. */
  readonly subject: string
  readonly metric: Metric
  readonly period: UsagePeriod
  readonly limit: number
}

/** The limits of a plan. */
export function limitsOf(plan: Plan, of: Limit['of'], subject: string): Limit[] {
  return (Object.entries(BOUNDS) as [keyof typeof BOUNDS, (typeof BOUNDS)[keyof typeof BOUNDS]][]).flatMap(
    ([field, { metric, period }]) => {
      const limit = plan[field]
      return limit === undefined ? [] : [{ of, subject, metric, period, limit }]
    },
  )
}

/** All that hold for a request: those of its account's plan, and those of its key's. */
export function limitsFor(ctx: ServiceContext): Limit[] {
  const { accountId, accountPlan, keyId, keyPlan } = ctx.service
  return [
    ...limitsOf(planNamed(ctx, accountPlan), 'account', accountId),
    ...limitsOf(planNamed(ctx, keyPlan), 'key', keyId),
  ]
}

/**
 * The plan of that name; null: no limits. One that is not configured any more allows nothing (`unavailable`): who took it away cannot have meant that
 * its accounts are without limits from then on.
 */
export function planNamed(ctx: OperatorContext, name: string | null): Plan {
  if (name === null) return {}
  const plan = ctx.services.plans.get(name)
  if (plan) return plan
  throw new GatewayError(
    'unavailable',
    `The plan "${name}" of this account or key is not configured here. Its operator has to add it to PLANS_FILE, or choose another.`,
    { details: { plan: name } },
  )
}
