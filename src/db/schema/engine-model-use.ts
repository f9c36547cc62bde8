import { bigint, date, integer, pgTable, primaryKey, text } from 'drizzle-orm/pg-core'

/** What the embedded backend has spent on models for one partition on one day (UTC): bounds the cost of a user. */
export const engineModelUse = pgTable(
  'engine_model_use',
  {
    projectId: text('project_id').notNull(),
    senderId: text('sender_id').notNull(),
    day: date({ mode: 'string' }).notNull(),
    calls: integer().notNull().default(0),
    inputTokens: bigint('input_tokens', { mode: 'number' }).notNull().default(0),
    outputTokens: bigint('output_tokens', { mode: 'number' }).notNull().default(0),
  },
  (table) => [primaryKey({ name: 'engine_model_use_pkey', columns: [table.projectId, table.senderId, table.day] })],
)
