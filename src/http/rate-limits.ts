import type { ServiceContext } from '../domain/context.ts'
import { GatewayError } from '../domain/errors.ts'
import { type Metric, meter, type QuotaState } from '../domain/usage/meter.ts'
import type { RateScope, RateState } from '../domain/usage/rate-windows.ts'
import type { HttpContext } from './context.ts'
import { sayState } from './quota.ts'

/** A request that its key's rates let through. */
export interface CountedRequest {
  readonly scope: RateScope
  /** Undefined if no limit is set. */
  readonly state: RateState | undefined
  /** Unix ms. */
  readonly at: number
}

/**
 * Counts a request of the chat proxy, or about its threads, against the rates of its key, and tells its sender how much is left of the
 * limit that is nearest to its end. `rate_limited` beyond one, with `scope` and `retry_after_seconds` in its details.
 */
export function limitRate(c: HttpContext, keyId: string, scope: RateScope): CountedRequest {
  c.env.outgoing.setHeader('X-RateLimit-Scope', scope)
  const at = Date.now()
  const state = c.get('services').rates.count(keyId, scope, at)
  if (!state) return { scope, state, at }
  sayState(c, state)
  if (state.isAllowed) return { scope, state, at }
  const seconds = Math.max(1, Math.ceil((state.resetAt.getTime() - at) / 1000))
  throw new GatewayError('rate_limited', `You reached the limit of ${state.limit} requests. Retry in ${seconds} s.`, {
    retryAfter: seconds,
    details: { scope, retry_after_seconds: seconds },
  })
}

/**
 * Counts a request that is within the rates against the plans of its account and key, with what else it `uses`. One that those refuse is counted in no rate either.
 * Of the rates and the plans, the limit that is nearest to its end is told.
 */
export async function countInPlans(
  c: HttpContext,
  ctx: ServiceContext,
  counted: CountedRequest,
  uses: Partial<Record<Metric, number>> = {},
): Promise<void> {
  const { scope, state, at } = counted
  let plan: QuotaState | undefined
  try {
    plan = await meter(ctx, { requests: 1, ...uses })
  } catch (error) {
    if (state) ctx.services.rates.takeBack(ctx.service.keyId, scope, at)
    throw withScope(error, scope)
  }
  if (plan && (!state || plan.remaining < state.remaining)) sayState(c, plan)
}

function withScope(error: unknown, scope: RateScope): unknown {
  if (!(error instanceof GatewayError) || error.retryAfter === undefined) return error
  const { code, message, retryAfter } = error
  const details = { ...error.details, scope, retry_after_seconds: retryAfter }
  return new GatewayError(code, message, { details, retryAfter, cause: error.cause })
}
