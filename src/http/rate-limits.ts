import type { ServiceContext } from '../domain/context.ts'
import { GatewayError } from '../domain/errors.ts'
import { type Metric, meter, type QuotaState } from '../domain/usage/meter.ts'
import type { RateScope, RateState } from '../domain/usage/rate-windows.ts'
import type { HttpContext } from './context.ts'
import { sayState } from './quota.ts'

/**
 * Counts a request of the chat proxy, or about its threads, against the limits of its key, and tells its sender how much is left of the one that is nearest to
 * its end. `rate_limited` beyond one, with `scope` and `retry_after_seconds` in its details.
 */
export function limitRate(c: HttpContext, keyId: string, scope: RateScope): RateState | undefined {
  const { outgoing } = c.env
  outgoing.setHeader('X-RateLimit-Scope', scope)
  const now = Date.now()
  const verdict = c.get('services').rates.count(keyId, scope, now)
  if (!verdict) return undefined
  sayState(c, verdict)
  if (verdict.isAllowed) return verdict
  const seconds = Math.max(1, Math.ceil((verdict.resetAt.getTime() - now) / 1000))
  throw new GatewayError('rate_limited', `Rate limit of ${verdict.limit} requests reached. Retry in ${seconds} s.`, {
    retryAfter: seconds,
    details: { scope, retry_after_seconds: seconds },
  })
}

/**
 * As `limitRate`, and counts the request against the plans of its account and key as well, with what `more` it uses. One that either refuses is counted in none.
 * Of the rates and the plans, the limit that is nearest to its end is told.
 */
export async function countRequest(
  c: HttpContext,
  ctx: ServiceContext,
  scope: RateScope,
  more: Partial<Record<Metric, number>> = {},
): Promise<void> {
  const { keyId } = ctx.service
  const at = Date.now()
  const rate = limitRate(c, keyId, scope)
  let plan: QuotaState | undefined
  try {
    plan = await meter(ctx, { requests: 1, ...more })
  } catch (error) {
    if (rate) c.get('services').rates.takeBack(keyId, scope, at)
    throw error
  }
  if (plan && (!rate || plan.remaining < rate.remaining)) sayState(c, plan)
}
