import { and, asc, desc, eq, gte, inArray, isNull, ne, type SQL, sql } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { users } from '../../db/schema/users.ts'
import { type DeliveryState, webhookDeliveries } from '../../db/schema/webhook-deliveries.ts'
import { webhooks } from '../../db/schema/webhooks.ts'
import { inWebhookScope, type WebhookRow, type WebhookScope } from './queries.ts'

export type DeliveryRow = typeof webhookDeliveries.$inferSelect
export type NewDelivery = Pick<DeliveryRow, 'webhookId' | 'userId' | 'eventId' | 'eventType' | 'payload'>
export type DeliveryId = Pick<DeliveryRow, 'id' | 'webhookId'>
/** A delivery, and the webhook that it is for. */
export interface FoundDelivery {
  readonly delivery: DeliveryRow
  readonly webhook: WebhookRow
}

/** Not done. */
export const OPEN: readonly DeliveryState[] = ['pending', 'retrying']

/** The application's own names of its users, by our ids; empty for one who has none. Users who hold keys of their own are left out. */
export async function selectAppUserNames(tx: Database, userIds: readonly string[]): Promise<Map<string, string>> {
  const ids = [...new Set(userIds)]
  if (ids.length === 0) return new Map()
  const rows = await tx
    .select({ id: users.id, name: users.externalId })
    .from(users)
    .where(and(inArray(users.id, ids), isNull(users.erasedAt), ne(users.kind, 'native')))
  return new Map(rows.map(({ id, name }) => [id, name]))
}

/** In the order of the rows. */
export async function insertDeliveries(tx: Database, rows: readonly NewDelivery[]): Promise<DeliveryId[]> {
  const inserted = await tx
    .insert(webhookDeliveries)
    .values([...rows])
    .returning({ id: webhookDeliveries.id, webhookId: webhookDeliveries.webhookId })
  return inserted.toSorted((one, other) => one.id - other.id)
}

/** One delivery of a webhook in the scope; with `lock`, held until the transaction ends. */
export async function findDelivery(
  db: Database,
  scope: WebhookScope,
  id: number,
  lock = false,
): Promise<FoundDelivery | undefined> {
  const query = db
    .select({ delivery: webhookDeliveries, webhook: webhooks })
    .from(webhookDeliveries)
    .innerJoin(webhooks, eq(webhooks.id, webhookDeliveries.webhookId))
    .where(and(inWebhookScope(scope), eq(webhookDeliveries.id, id)))
  const [row] = await (lock ? query.for('update', { of: webhookDeliveries }) : query)
  return row
}

export interface DeliveryFilter {
  readonly webhookId?: number | undefined
  readonly states?: readonly DeliveryState[] | undefined
}

function matchesDelivery(scope: WebhookScope, { webhookId, states }: DeliveryFilter): SQL | undefined {
  return and(
    inWebhookScope(scope),
    webhookId === undefined ? undefined : eq(webhookDeliveries.webhookId, webhookId),
    states && inArray(webhookDeliveries.state, [...states]),
  )
}

/** Newest first. */
export function selectDeliveries(
  db: Database,
  scope: WebhookScope,
  filter: DeliveryFilter,
  page: { limit: number; offset: number },
): Promise<FoundDelivery[]> {
  return db
    .select({ delivery: webhookDeliveries, webhook: webhooks })
    .from(webhookDeliveries)
    .innerJoin(webhooks, eq(webhooks.id, webhookDeliveries.webhookId))
    .where(matchesDelivery(scope, filter))
    .orderBy(desc(webhookDeliveries.id))
    .limit(page.limit)
    .offset(page.offset)
}

export async function countDeliveries(db: Database, scope: WebhookScope, filter: DeliveryFilter): Promise<number> {
  const [row] = await db
    .select({ count: sql<number>`count(*)`.mapWith(Number) })
    .from(webhookDeliveries)
    .innerJoin(webhooks, eq(webhooks.id, webhookDeliveries.webhookId))
    .where(matchesDelivery(scope, filter))
  return row?.count ?? 0
}

/** Deliveries of a webhook in these states of the last minutes, oldest first. */
export function selectReplayable(
  tx: Database,
  webhookId: number,
  states: readonly DeliveryState[],
  sinceMinutes: number,
  limit: number,
): Promise<DeliveryRow[]> {
  return tx
    .select()
    .from(webhookDeliveries)
    .where(
      and(
        eq(webhookDeliveries.webhookId, webhookId),
        inArray(webhookDeliveries.state, [...states]),
        gte(webhookDeliveries.createdAt, sql`now() - ${sinceMinutes} * interval '1 minute'`),
      ),
    )
    .orderBy(asc(webhookDeliveries.id))
    .limit(limit)
}

/** Has a delivery begin anew. */
export async function reopenDelivery(tx: Database, id: number): Promise<DeliveryRow> {
  const [row] = await tx
    .update(webhookDeliveries)
    .set({ state: 'pending', attempts: 0, nextAttemptAt: null, completedAt: null })
    .where(eq(webhookDeliveries.id, id))
    .returning()
  if (!row) throw new Error('A locked delivery is gone.')
  return row
}

/** Those of a webhook that are not done, after the one with this id. */
export async function selectOpen(tx: Database, webhookId: number, after: number, limit: number): Promise<number[]> {
  const rows = await tx
    .select({ id: webhookDeliveries.id })
    .from(webhookDeliveries)
    .where(
      and(
        eq(webhookDeliveries.webhookId, webhookId),
        inArray(webhookDeliveries.state, [...OPEN]),
        sql`${webhookDeliveries.id} > ${after}`,
      ),
    )
    .orderBy(asc(webhookDeliveries.id))
    .limit(limit)
  return rows.map(({ id }) => id)
}

/** Whether one of these webhooks was told of such an event in the last seconds. */
export async function hasRecentEvent(
  db: Database,
  webhookIds: readonly number[],
  eventType: string,
  seconds: number,
): Promise<boolean> {
  const rows = await db
    .select({ id: webhookDeliveries.id })
    .from(webhookDeliveries)
    .where(
      and(
        inArray(webhookDeliveries.webhookId, [...webhookIds]),
        eq(webhookDeliveries.eventType, eventType),
        gte(webhookDeliveries.createdAt, sql`now() - ${seconds} * interval '1 second'`),
      ),
    )
    .limit(1)
  return rows.length > 0
}
