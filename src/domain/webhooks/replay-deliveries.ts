import { randomUUID } from 'node:crypto'
import { inTransaction } from '../../db/database.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, nothingElse, type ServiceContext } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { parseInput } from '../parse-input.ts'
import { type FoundDelivery, findDelivery, reopenDelivery, selectReplayable } from './delivery-queries.ts'
import { statesOf } from './delivery-status.ts'
import { storeDeliveries, toJob } from './emit-event.ts'
import { lockWebhook } from './queries.ts'
import { ReplayInput } from './schemas.ts'
import { unknownDelivery, unknownWebhook, type WebhookScope, webhookPaused } from './webhook-scope.ts'

export interface Replay {
  readonly webhookId: number
  /** Deliveries that were asked for. */
  readonly eligible: number
  /** Of the new deliveries, one for each that is made again; oldest event first. */
  readonly deliveryIds: readonly number[]
}

/**
 * Makes deliveries again, as new ones with the ids of their events. Those that are still being tried are left out: they are made anyway.
 * `conflict` if the webhook is paused.
 */
export async function replayDeliveries(
  ctx: ServiceContext,
  scope: WebhookScope,
  webhookId: number,
  input: unknown,
  also: AlsoStore<Replay> = nothingElse,
): Promise<Replay> {
  const { since_minutes: minutes, statuses, limit } = parseInput(ReplayInput, input)
  return inTransaction(ctx.services.db, async (tx) => {
    const webhook = await lockWebhook(tx, scope, webhookId)
    if (!webhook) throw unknownWebhook()
    if (!webhook.enabled) throw webhookPaused()
    const eligible = await selectReplayable(tx, webhookId, statesOf(statuses), minutes, limit)
    const done = eligible.filter(({ state }) => state === 'dead' || state === 'delivered')
    const rows = done.map(({ userId, eventId, eventType, payload }) => ({
      webhookId,
      userId,
      eventId,
      eventType,
      payload,
    }))
    const deliveryIds = await storeDeliveries(tx, ctx, rows)
    await recordAudit(tx, ctx, { action: 'webhook.update', target: String(webhookId) })
    const replay = { webhookId, eligible: eligible.length, deliveryIds }
    await also(tx, replay)
    return replay
  })
}

/**
 * Has one delivery begin anew, with all its attempts. One that waits for its next attempt is made at once. `conflict` if it is delivered, or its
 * webhook paused.
 */
export async function retryDelivery(
  ctx: ServiceContext,
  scope: WebhookScope,
  id: number,
  also: AlsoStore<FoundDelivery> = nothingElse,
): Promise<FoundDelivery> {
  return inTransaction(ctx.services.db, async (tx) => {
    const found = await findDelivery(tx, scope, id, true)
    if (!found) throw unknownDelivery()
    if (!found.webhook.enabled) throw webhookPaused()
    if (found.delivery.state === 'delivered') {
      throw new GatewayError('conflict', 'It is delivered. To send it once more, replay the deliveries of its webhook.')
    }
    const reopened = { webhook: found.webhook, delivery: await reopenDelivery(tx, id) }
    await ctx.services.jobs.enqueueAll(tx, [{ ...toJob(found.delivery), turn: `:${randomUUID()}` }], 0)
    await recordAudit(tx, ctx, { action: 'webhook.update', target: String(found.webhook.id) })
    await also(tx, reopened)
    return reopened
  })
}
