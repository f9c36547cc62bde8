import { and, asc, eq, inArray, sql } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { deliveryStates, webhookDeliveries } from '../../db/schema/webhook-deliveries.ts'
import { webhooks } from '../../db/schema/webhooks.ts'
import type { Owner } from '../context.ts'
import { type DeliveryId, OPEN } from './delivery-queries.ts'

/** System scope: deliveries of enabled webhooks that should have been made so long ago. */
export function selectStalled(db: Database, seconds: number, limit: number): Promise<DeliveryId[]> {
  return db
    .select({ id: webhookDeliveries.id, webhookId: webhookDeliveries.webhookId })
    .from(webhookDeliveries)
    .innerJoin(webhooks, eq(webhooks.id, webhookDeliveries.webhookId))
    .where(
      and(
        inArray(webhookDeliveries.state, [...OPEN]),
        eq(webhooks.enabled, true),
        sql`coalesce(${webhookDeliveries.nextAttemptAt}, ${webhookDeliveries.createdAt}) < now() - ${seconds} * interval '1 second'`,
      ),
    )
    .orderBy(asc(webhookDeliveries.id))
    .limit(limit)
}

/** System scope: deletes some that are older; resolves with how many. */
export async function deleteSomeOld(db: Database, days: number, limit: number): Promise<number> {
  const some = db
    .select({ id: webhookDeliveries.id })
    .from(webhookDeliveries)
    .where(
      and(
        inArray(webhookDeliveries.state, [...deliveryStates]),
        sql`${webhookDeliveries.createdAt} < now() - ${days} * interval '1 day'`,
      ),
    )
    .limit(limit)
  const rows = await db
    .delete(webhookDeliveries)
    .where(inArray(webhookDeliveries.id, some))
    .returning({ id: webhookDeliveries.id })
  return rows.length
}

/** Deletes some of what speaks of a user; resolves with how many there were. */
export async function deleteSomeOfUser(db: Database, owner: Owner, limit: number): Promise<number> {
  const some = db
    .select({ id: webhookDeliveries.id })
    .from(webhookDeliveries)
    .where(eq(webhookDeliveries.userId, owner.userId))
    .limit(limit)
  const rows = await db
    .delete(webhookDeliveries)
    .where(inArray(webhookDeliveries.id, some))
    .returning({ id: webhookDeliveries.id })
  return rows.length
}

/** Takes the content of memories that go out of what is stored of their events: the number, the id and the times stay. */
export async function blankMemories(
  tx: Database,
  owner: Owner,
  memoryIds: readonly string[],
  fields: readonly string[],
): Promise<void> {
  const data = sql`${webhookDeliveries.payload} -> 'data'`
  const names = sql.join(
    fields.map((field) => sql`${field}`),
    sql`, `,
  )
  await tx
    .update(webhookDeliveries)
    .set({ payload: sql`jsonb_set(${webhookDeliveries.payload}, '{data}', (${data}) - array[${names}]::text[])` })
    .where(
      and(
        eq(webhookDeliveries.userId, owner.userId),
        inArray(webhookDeliveries.eventType, ['memory.created', 'memory.updated']),
        inArray(sql`${data} ->> 'memory_id'`, [...memoryIds]),
      ),
    )
}
