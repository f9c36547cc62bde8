import type { ServiceContext } from '../domain/context.ts'
import type { GatewayError } from '../domain/errors.ts'
import { type Metric, meter, type QuotaState } from '../domain/usage/meter.ts'
import type { HttpContext } from './context.ts'

/** Counts what a request uses, before its work, and tells its sender how much is left of the limit that is nearest to its end. */
export async function countUse(
  c: HttpContext,
  ctx: ServiceContext,
  uses: Partial<Record<Metric, number>>,
): Promise<void> {
  const state = await meter(ctx, uses)
  if (state) sayState(c, state)
}

/** Set on Node's own response, so that they are there whatever the answer will be. `X-RateLimit-Reset`: Unix seconds. */
export function sayState(c: HttpContext, { limit, remaining, resetAt }: Omit<QuotaState, 'metric'>): void {
  const { outgoing } = c.env
  outgoing.setHeader('X-RateLimit-Limit', limit)
  outgoing.setHeader('X-RateLimit-Remaining', remaining)
  outgoing.setHeader('X-RateLimit-Reset', Math.ceil(resetAt.getTime() / 1000))
}

/** The same for a request that was refused: which limit has no room, as far as the refusal says. */
export function sayRefusal(c: HttpContext, { details }: GatewayError): void {
  const { limit, remaining, reset_at: resetAt } = details ?? {}
  if (typeof limit !== 'number' || typeof remaining !== 'number') return
  const { outgoing } = c.env
  outgoing.setHeader('X-RateLimit-Limit', limit)
  outgoing.setHeader('X-RateLimit-Remaining', remaining)
  if (typeof resetAt === 'string') outgoing.setHeader('X-RateLimit-Reset', Math.ceil(Date.parse(resetAt) / 1000))
}
