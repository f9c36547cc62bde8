import { bigint, index, integer, jsonb, pgTable, text } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'
import { webhooks } from './webhooks.ts'

/** `dead`: given up; it can be replayed. */
export const deliveryStates = ['pending', 'delivered', 'retrying', 'dead'] as const
export type DeliveryState = (typeof deliveryStates)[number]

/** One event on its way to one webhook. The row is written in the transaction of the event, and so survives what the process does not. */
export const webhookDeliveries = pgTable(
  'webhook_deliveries',
  {
    id: bigint({ mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    webhookId: bigint('webhook_id', { mode: 'number' })
      .notNull()
      .references(() => webhooks.id, { onDelete: 'cascade' }),
    /** Whose data the payload speaks of; it goes when they are erased. */
    userId: text('user_id'),
    /** The same at every webhook, and at every attempt. */
    eventId: text('event_id').notNull(),
    eventType: text('event_type').notNull(),
    /** What is sent, as JSON; without the content of a memory that was deleted since. */
    payload: jsonb().$type<Readonly<Record<string, unknown>>>().notNull(),
    state: text({ enum: deliveryStates }).notNull().default('pending'),
    attempts: integer().notNull().default(0),
    nextAttemptAt: instant('next_attempt_at'),
    /** Of the last attempt. */
    statusCode: integer('status_code'),
    responseBody: text('response_body'),
    error: text(),
    latencyMs: integer('latency_ms'),
    createdAt: instant('created_at').notNull().defaultNow(),
    /** When the last attempt ended. */
    completedAt: instant('completed_at'),
  },
  (table) => [
    index('webhook_deliveries_webhook_id_idx').on(table.webhookId, table.id),
    index('webhook_deliveries_state_idx').on(table.state, table.createdAt),
    index('webhook_deliveries_user_id_idx').on(table.userId),
  ],
)
