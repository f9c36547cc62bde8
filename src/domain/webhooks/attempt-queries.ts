import { and, eq, inArray, isNull, lte, or, type SQL, sql } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { webhookDeliveries } from '../../db/schema/webhook-deliveries.ts'
import { webhooks } from '../../db/schema/webhooks.ts'
import { type DeliveryRow, OPEN } from './delivery-queries.ts'
import type { WebhookRow } from './queries.ts'

/**
 * System scope: takes a delivery that is due for one attempt, and counts it. Undefined if it is not due, done, gone, or its webhook paused.
 * If the process dies, it is due again after `leaseSeconds`.
 */
export async function claimDelivery(db: Database, id: number, leaseSeconds: number): Promise<DeliveryRow | undefined> {
  const isHeard = db
    .select({ id: webhooks.id })
    .from(webhooks)
    .where(and(eq(webhooks.id, webhookDeliveries.webhookId), eq(webhooks.enabled, true)))
  const [row] = await db
    .update(webhookDeliveries)
    .set({ attempts: sql`${webhookDeliveries.attempts} + 1`, nextAttemptAt: secondsFromNow(leaseSeconds) })
    .where(
      and(
        eq(webhookDeliveries.id, id),
        inArray(webhookDeliveries.state, [...OPEN]),
        or(isNull(webhookDeliveries.nextAttemptAt), lte(webhookDeliveries.nextAttemptAt, sql`now()`)),
        sql`exists ${isHeard}`,
      ),
    )
    .returning()
  return row
}

/** System scope: the webhook of a delivery. */
export async function findWebhookOf(db: Database, { webhookId }: DeliveryRow): Promise<WebhookRow | undefined> {
  const [row] = await db.select().from(webhooks).where(eq(webhooks.id, webhookId))
  return row
}

/** System scope: in how many seconds the delivery is due, if it waits for nothing but time. */
export async function secondsUntilDue(db: Database, id: number): Promise<number | undefined> {
  const [row] = await db
    .select({ seconds: sql<number>`extract(epoch from ${webhookDeliveries.nextAttemptAt} - now())`.mapWith(Number) })
    .from(webhookDeliveries)
    .innerJoin(webhooks, eq(webhooks.id, webhookDeliveries.webhookId))
    .where(and(eq(webhookDeliveries.id, id), inArray(webhookDeliveries.state, [...OPEN]), eq(webhooks.enabled, true)))
  return row && Math.max(0, row.seconds)
}

export interface Outcome {
  readonly statusCode: number | null
  readonly responseBody: string | null
  readonly error: string | null
  readonly latencyMs: number
}

/** The end of an attempt. False if another attempt has begun since, whose word counts. */
export async function recordAttempt(
  tx: Database,
  { id, attempts }: DeliveryRow,
  outcome: Outcome,
  next: { state: 'delivered' | 'dead' } | { state: 'retrying'; delaySeconds: number },
): Promise<boolean> {
  const nextAttemptAt = next.state === 'retrying' ? secondsFromNow(next.delaySeconds) : null
  const rows = await tx
    .update(webhookDeliveries)
    .set({ ...outcome, state: next.state, nextAttemptAt, completedAt: sql`now()` })
    .where(
      and(
        eq(webhookDeliveries.id, id),
        eq(webhookDeliveries.attempts, attempts),
        inArray(webhookDeliveries.state, [...OPEN]),
      ),
    )
    .returning({ id: webhookDeliveries.id })
  return rows.length > 0
}

/** An attempt that the gateway itself broke off does not count, and is due at once. */
export async function unclaimDelivery(db: Database, { id, attempts }: DeliveryRow): Promise<void> {
  await db
    .update(webhookDeliveries)
    .set({ attempts: attempts - 1, nextAttemptAt: null })
    .where(and(eq(webhookDeliveries.id, id), eq(webhookDeliveries.attempts, attempts)))
}

function secondsFromNow(seconds: number): SQL {
  return sql`now() + ${seconds} * interval '1 second'`
}
