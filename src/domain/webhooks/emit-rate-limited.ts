import { inTransaction } from '../../db/database.ts'
import type { ServiceContext } from '../context.ts'
import { hasRecentEvent } from './delivery-queries.ts'
import { emitEvent } from './emit-event.ts'
import { findHearers } from './queries.ts'

export interface RateLimitHit {
  /** What was used up, e.g. `requests`. */
  readonly metric: string
  readonly period: 'minute' | 'day' | 'month'
  readonly limit: number
  /** Seconds. */
  readonly retryAfter: number
}

/** Several processes find out about one limit: a webhook hears of it once in so long. */
const QUIET_SECONDS = 60

/** Tells that a rate or a quota is used up. Nobody waits for it, and nothing fails with it. */
export function emitRateLimitedInBackground(ctx: ServiceContext, hit: RateLimitHit): void {
  emitRateLimited(ctx, hit).catch((error: unknown) => {
    ctx.log.warn({ err: error }, 'webhooks not told of a refused request')
  })
}

async function emitRateLimited(ctx: ServiceContext, hit: RateLimitHit): Promise<void> {
  const { services, service } = ctx
  const ids = await findHearers(services.db, service, 'api.rate_limited')
  if (ids.length === 0 || (await hasRecentEvent(services.db, ids, 'api.rate_limited', QUIET_SECONDS))) return
  const data = {
    key_id: service.keyId,
    metric: hit.metric,
    period: hit.period,
    limit: hit.limit,
    retry_after_seconds: hit.retryAfter,
  }
  await inTransaction(services.db, (tx) => emitEvent(tx, ctx, service, { type: 'api.rate_limited', data }))
}
