import { createHash } from 'node:crypto'
import type { FoundDelivery } from '../../../domain/webhooks/delivery-queries.ts'
import { statusOf } from '../../../domain/webhooks/delivery-status.ts'
import {
  isFailing,
  type ListedWebhook,
  successRate,
  type WebhookHealth,
} from '../../../domain/webhooks/list-webhooks.ts'
import type { WebhookRow } from '../../../domain/webhooks/queries.ts'
import type { Replay } from '../../../domain/webhooks/replay-deliveries.ts'
import { maxAttempts } from '../../../domain/webhooks/retry-delay.ts'
import { secretPrefix } from '../../../domain/webhooks/webhook-secret.ts'

/** The numbers are of the deliveries that are kept. */
export function toWebhook({ webhook, statistics, createdByName }: ListedWebhook) {
  return {
    ...toSettings(webhook),
    total_deliveries: statistics.total,
    successful_deliveries: statistics.delivered,
    failed_deliveries: statistics.dead,
    consecutive_failures: statistics.consecutiveFailures,
    success_rate: successRate(statistics),
    last_triggered_at: toInstant(statistics.lastTriggeredAt),
    last_success_at: toInstant(statistics.lastSuccessAt),
    last_failure_at: toInstant(statistics.lastFailureAt),
    last_error: statistics.lastError,
    last_status_code: statistics.lastStatusCode,
    created_by_name: createdByName,
  }
}

/** The one answer that has the secret. */
export function toCreatedWebhook(listed: ListedWebhook) {
  return { ...toWebhook(listed), secret: listed.webhook.secret }
}

function toSettings(webhook: WebhookRow) {
  return {
    id: webhook.id,
    name: webhook.name,
    url: webhook.url,
    description: webhook.description,
    secret_prefix: secretPrefix(webhook.secret),
    events: webhook.events,
    enabled: webhook.enabled,
    signature_algorithm: webhook.signatureAlgorithm,
    signature_header: webhook.signatureHeader,
    timestamp_header: webhook.timestampHeader,
    signature_tolerance: webhook.signatureTolerance,
    retry_enabled: webhook.retryEnabled,
    max_retries: webhook.maxRetries,
    initial_delay_seconds: webhook.initialDelay,
    max_delay_seconds: webhook.maxDelay,
    backoff_multiplier: webhook.backoffMultiplier,
    retry_status_codes: webhook.retryStatusCodes,
    created_at: webhook.createdAt.toISOString(),
    updated_at: webhook.updatedAt.toISOString(),
    project_id: webhook.projectId,
  }
}

export function toWebhooks(listed: readonly ListedWebhook[]) {
  return { endpoints: listed.map(toWebhook), total_endpoints: listed.length, ...summarize(listed) }
}

function summarize(listed: readonly ListedWebhook[]) {
  const rates = listed.flatMap(({ statistics }) => successRate(statistics) ?? [])
  return {
    active_endpoints: listed.filter(({ webhook }) => webhook.enabled).length,
    total_deliveries: totalOf(listed),
    avg_success_rate: rates.length === 0 ? null : rates.reduce((sum, rate) => sum + rate, 0) / rates.length,
    failing_endpoints: listed.filter(isFailing).length,
  }
}

function totalOf(listed: readonly ListedWebhook[]): number {
  return listed.reduce((sum, { statistics }) => sum + statistics.total, 0)
}

export function toHealth({ webhooks, lastDay, deliveredInWeek, deadInWeek, retrying, dead }: WebhookHealth) {
  return {
    active_webhooks: webhooks.filter(({ webhook }) => webhook.enabled).length,
    total_webhooks: webhooks.length,
    total_deliveries_all_time: totalOf(webhooks),
    total_deliveries_24h: lastDay,
    success_rate_7d: successRate({ delivered: deliveredInWeek, dead: deadInWeek }),
    failing_endpoints: webhooks.filter(isFailing).length,
    pending_retries: retrying,
    dead_letter_count: dead,
  }
}

export function toDelivery({ delivery, webhook }: FoundDelivery) {
  const isDone = delivery.state === 'delivered' || delivery.state === 'dead'
  return {
    id: delivery.id,
    endpoint_id: delivery.webhookId,
    event_type: delivery.eventType,
    event_id: delivery.eventId,
    status: statusOf(delivery),
    payload: delivery.payload,
    payload_hash: createHash('sha256').update(JSON.stringify(delivery.payload)).digest('hex'),
    // Each attempt has its own, by its own time: none is kept.
    signature: null,
    status_code: delivery.statusCode,
    response_body: delivery.responseBody,
    error_message: delivery.error,
    latency_ms: delivery.latencyMs,
    attempt_number: delivery.attempts,
    max_attempts: maxAttempts(webhook),
    next_retry_at: delivery.state === 'retrying' ? toInstant(delivery.nextAttemptAt) : null,
    created_at: delivery.createdAt.toISOString(),
    completed_at: isDone ? toInstant(delivery.completedAt) : null,
  }
}

export function toTest({ delivery, webhook }: FoundDelivery) {
  return {
    delivery_id: delivery.id,
    event_id: delivery.eventId,
    event_type: delivery.eventType,
    endpoint_id: webhook.id,
    status: statusOf(delivery),
    payload: delivery.payload,
    message: `The test event is on its way. GET /org/webhooks/deliveries/${delivery.id} tells what became of it.`,
  }
}

export function toReplay({ webhookId, eligible, deliveryIds }: Replay) {
  const replayed = deliveryIds.length
  return {
    endpoint_id: webhookId,
    eligible,
    replayed,
    skipped: eligible - replayed,
    delivery_ids: deliveryIds,
  }
}

function toInstant(date: Date | null): string | null {
  return date?.toISOString() ?? null
}
