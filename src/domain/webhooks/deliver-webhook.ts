import { inTransaction } from '../../db/database.ts'
import { type WebhookAnswer, WebhookSendError } from '../../ports/webhook-sender.ts'
import type { SystemContext } from '../context.ts'
import {
  claimDelivery,
  findWebhookOf,
  type Outcome,
  recordAttempt,
  secondsUntilDue,
  unclaimDelivery,
} from './attempt-queries.ts'
import type { DeliveryId, DeliveryRow } from './delivery-queries.ts'
import { toJob } from './emit-event.ts'
import type { WebhookRow } from './queries.ts'
import { isRetried, maxAttempts, retryDelay } from './retry-delay.ts'
import { sign } from './sign.ts'

/** Longer than an attempt takes: then whoever claimed it is dead. */
const LEASE_SECONDS = 20

/**
 * One attempt of a delivery that is due; what comes of it is written on its row, and the next attempt is enqueued with it. Nothing to do for
 * one that is made, given up or gone, and for a paused webhook's, which waits for it to be resumed. False if the process stopped
 * it. A process that dies between the call and the writing has it made again, with the same event id.
 */
export async function deliverWebhook(ctx: SystemContext, id: DeliveryId): Promise<boolean> {
  const { db, jobs } = ctx.services
  const delivery = await claimDelivery(db, id.id, LEASE_SECONDS)
  if (!delivery) {
    const seconds = await secondsUntilDue(db, id.id)
    if (seconds !== undefined) await inTransaction(db, (tx) => jobs.enqueueAll(tx, [toJob(id)], seconds))
    return true
  }
  const webhook = await findWebhookOf(db, delivery)
  if (!webhook) return true
  const attempt = await post(ctx, webhook, delivery)
  if (attempt === 'stopped') {
    await unclaimDelivery(db, delivery)
    return false
  }
  await record(ctx, webhook, delivery, attempt)
  return true
}

interface Attempt {
  readonly answer?: WebhookAnswer
  readonly failure?: WebhookSendError
  readonly latencyMs: number
}

async function post(ctx: SystemContext, webhook: WebhookRow, delivery: DeliveryRow): Promise<Attempt | 'stopped'> {
  const start = performance.now()
  const latency = () => Math.round(performance.now() - start)
  try {
    const answer = await ctx.services.webhooks.post(toRequest(webhook, delivery), ctx.signal)
    return { answer, latencyMs: latency() }
  } catch (error) {
    if (!(error instanceof WebhookSendError)) throw error
    return error.reason === 'stopped' ? 'stopped' : { failure: error, latencyMs: latency() }
  }
}

function toRequest(webhook: WebhookRow, delivery: DeliveryRow) {
  const body = JSON.stringify(delivery.payload)
  const timestamp = String(Math.floor(Date.now() / 1_000))
  return {
    url: webhook.url,
    body,
    headers: {
      'User-Agent': 'memory-gateway-webhooks/1',
      [webhook.signatureHeader]: sign(webhook, timestamp, body),
      [webhook.timestampHeader]: timestamp,
      'X-Webhook-Event': delivery.eventType,
      'X-Webhook-Event-Id': delivery.eventId,
      'X-Webhook-Delivery-Id': String(delivery.id),
      'X-Webhook-Attempt': String(delivery.attempts),
    },
  }
}

async function record(ctx: SystemContext, webhook: WebhookRow, delivery: DeliveryRow, attempt: Attempt): Promise<void> {
  const { db, jobs, events } = ctx.services
  const next = whatNext(webhook, delivery, attempt)
  const outcome: Outcome = {
    statusCode: attempt.answer?.status ?? null,
    responseBody: attempt.answer?.body ?? null,
    error: next.state === 'delivered' ? null : (attempt.failure?.message ?? refusal(attempt.answer)),
    latencyMs: attempt.latencyMs,
  }
  const isOurs = await inTransaction(db, async (tx) => {
    if (!(await recordAttempt(tx, delivery, outcome, next))) return false
    if (next.state === 'retrying') await jobs.enqueueAll(tx, [toJob(delivery)], next.delaySeconds)
    return true
  })
  if (!isOurs) return
  events.webhookAttempted(next.state)
  if (next.state === 'dead') {
    ctx.log.warn(
      { webhookId: webhook.id, deliveryId: delivery.id, attempts: delivery.attempts, statusCode: outcome.statusCode },
      'webhook delivery given up; it can be replayed',
    )
  }
}

type Next = { state: 'delivered' | 'dead' } | { state: 'retrying'; delaySeconds: number }

function whatNext(webhook: WebhookRow, { attempts }: DeliveryRow, { answer, failure }: Attempt): Next {
  if (answer && answer.status >= 200 && answer.status < 300) return { state: 'delivered' }
  const mayHelp = answer ? isRetried(webhook, answer.status) : failure?.reason !== 'forbidden'
  if (!mayHelp || attempts >= maxAttempts(webhook)) return { state: 'dead' }
  return { state: 'retrying', delaySeconds: retryDelay(webhook, attempts, answer?.retryAfterSeconds) }
}

function refusal(answer: WebhookAnswer | undefined): string {
  const status = answer?.status ?? 0
  return status >= 300 && status < 400
    ? `The receiver answered ${status}: redirects are not followed.`
    : `The receiver answered ${status}.`
}
