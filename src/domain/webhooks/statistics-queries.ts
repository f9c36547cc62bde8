import { and, desc, eq, inArray, isNotNull, type SQL, sql } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { webhookDeliveries } from '../../db/schema/webhook-deliveries.ts'
import { webhooks } from '../../db/schema/webhooks.ts'
import { inWebhookScope, type WebhookScope } from './queries.ts'

/** Of the deliveries that are kept. */
export interface WebhookStatistics {
  readonly total: number
  readonly delivered: number
  /** Given up. */
  readonly dead: number
  /** Deliveries since the last that arrived whose last attempt failed. */
  readonly consecutiveFailures: number
  readonly lastTriggeredAt: Date | null
  readonly lastSuccessAt: Date | null
  readonly lastFailureAt: Date | null
  /** Of the newest delivery that was tried. */
  readonly lastError: string | null
  readonly lastStatusCode: number | null
}

export const noStatistics: WebhookStatistics = {
  total: 0,
  delivered: 0,
  dead: 0,
  consecutiveFailures: 0,
  lastTriggeredAt: null,
  lastSuccessAt: null,
  lastFailureAt: null,
  lastError: null,
  lastStatusCode: null,
}

const { state, completedAt } = webhookDeliveries
const isDelivered = sql`${state} = 'delivered'`
const isFailing = sql`${state} in ('retrying', 'dead')`

function countOf(condition: SQL) {
  return sql<number>`count(*) filter (where ${condition})`.mapWith(Number)
}

const asDate = (value: string | Date | null): Date | null => (value === null ? null : new Date(value))

/** Of each of the webhooks that has deliveries. */
export async function selectStatistics(
  db: Database,
  webhookIds: readonly number[],
): Promise<Map<number, WebhookStatistics>> {
  if (webhookIds.length === 0) return new Map()
  const lastArrived = db
    .select({
      webhookId: webhookDeliveries.webhookId,
      id: sql<number>`max(${webhookDeliveries.id}) filter (where ${isDelivered})`.as('last_arrived'),
    })
    .from(webhookDeliveries)
    .where(inArray(webhookDeliveries.webhookId, [...webhookIds]))
    .groupBy(webhookDeliveries.webhookId)
    .as('arrived')
  const rows = await db
    .select({
      webhookId: webhookDeliveries.webhookId,
      total: countOf(sql`true`),
      delivered: countOf(isDelivered),
      dead: countOf(sql`${state} = 'dead'`),
      consecutiveFailures: countOf(sql`${isFailing} and ${webhookDeliveries.id} > coalesce(${lastArrived.id}, 0)`),
      lastTriggeredAt: sql<string | null>`max(${webhookDeliveries.createdAt})`,
      lastSuccessAt: sql<string | null>`max(${completedAt}) filter (where ${isDelivered})`,
      lastFailureAt: sql<string | null>`max(${completedAt}) filter (where ${isFailing})`,
    })
    .from(webhookDeliveries)
    .innerJoin(lastArrived, eq(lastArrived.webhookId, webhookDeliveries.webhookId))
    .where(inArray(webhookDeliveries.webhookId, [...webhookIds]))
    .groupBy(webhookDeliveries.webhookId, lastArrived.id)
  const attempts = await selectLastAttempts(db, webhookIds)
  return new Map(
    rows.map(({ webhookId, lastTriggeredAt, lastSuccessAt, lastFailureAt, ...rest }) => [
      webhookId,
      {
        ...rest,
        lastError: attempts.get(webhookId)?.error ?? null,
        lastStatusCode: attempts.get(webhookId)?.statusCode ?? null,
        lastTriggeredAt: asDate(lastTriggeredAt),
        lastSuccessAt: asDate(lastSuccessAt),
        lastFailureAt: asDate(lastFailureAt),
      },
    ]),
  )
}

/** Of the newest delivery of each webhook that was tried. */
async function selectLastAttempts(db: Database, webhookIds: readonly number[]) {
  const newest = db
    .select({ error: webhookDeliveries.error, statusCode: webhookDeliveries.statusCode })
    .from(webhookDeliveries)
    .where(and(eq(webhookDeliveries.webhookId, webhooks.id), isNotNull(completedAt)))
    .orderBy(desc(webhookDeliveries.id))
    .limit(1)
    .as('newest')
  const rows = await db
    .select({ id: webhooks.id, error: newest.error, statusCode: newest.statusCode })
    .from(webhooks)
    .innerJoinLateral(newest, sql`true`)
    .where(inArray(webhooks.id, [...webhookIds]))
  return new Map(rows.map(({ id, ...attempt }) => [id, attempt]))
}

export interface RecentCounts {
  readonly lastDay: number
  readonly deliveredInWeek: number
  readonly deadInWeek: number
  readonly retrying: number
  readonly dead: number
}

/** Of all webhooks in the scope. */
export async function countRecent(db: Database, scope: WebhookScope): Promise<RecentCounts> {
  const since = (days: number) => sql`${webhookDeliveries.createdAt} >= now() - ${days} * interval '1 day'`
  const [row] = await db
    .select({
      lastDay: countOf(since(1)),
      deliveredInWeek: countOf(sql`${isDelivered} and ${since(7)}`),
      deadInWeek: countOf(sql`${state} = 'dead' and ${since(7)}`),
      retrying: countOf(sql`${state} = 'retrying'`),
      dead: countOf(sql`${state} = 'dead'`),
    })
    .from(webhookDeliveries)
    .innerJoin(webhooks, eq(webhooks.id, webhookDeliveries.webhookId))
    .where(inWebhookScope(scope))
  return row ?? { lastDay: 0, deliveredInWeek: 0, deadInWeek: 0, retrying: 0, dead: 0 }
}
