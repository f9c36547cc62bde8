import { getAccount } from '../../../domain/accounts/list-accounts.ts'
import type { Plan } from '../../../domain/context.ts'
import { planNamed } from '../../../domain/usage/limits.ts'
import { periodEnd, periodStart } from '../../../domain/usage/periods.ts'
import { addRoute, type Router } from '../route.ts'
import { ADMIN } from './scope.ts'

export function addAccountRoutes(router: Router): void {
  addRoute(router, 'GET', '/auth/me', { scope: 'read', project: 'optional' }, async (c, { ctx, user }) => {
    const { accountId, keyId, scopes } = ctx.service
    const account = await getAccount(ctx, accountId)
    return c.json({
      user_id: user?.externalId ?? keyId,
      role: scopes.includes('admin') ? 'admin' : 'member',
      org: { id: account.id, name: account.name },
      sid: null,
      oauth_scopes: scopes,
      oauth_app_id: null,
    })
  })

  addRoute(router, 'GET', '/org/billing/current-plan', ADMIN, async (c, { ctx }) => {
    const name = ctx.service.accountPlan
    const start = periodStart('month', new Date())
    return c.json({
      plan: { id: name ?? 'unlimited', name: name ?? 'unlimited', limits: toLimits(planNamed(ctx, name)) },
      status: 'active',
      billing_period_start: start.toISOString(),
      billing_period_end: periodEnd('month', start).toISOString(),
      payment_failed: false,
      scheduled_plan_id: null,
      cancel_at_period_end: false,
    })
  })
}

/** Null: without limit. */
function toLimits(plan: Plan) {
  return {
    requests_per_minute: plan.requestsPerMinute ?? null,
    requests_per_month: plan.requestsPerMonth ?? null,
    memories: plan.memories ?? null,
    adds_per_month: plan.addsPerMonth ?? null,
    searches_per_day: plan.searchesPerDay ?? null,
    searches_per_month: plan.searchesPerMonth ?? null,
    tokens_per_month: plan.tokensPerMonth ?? null,
  }
}
