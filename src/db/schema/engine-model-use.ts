import { bigint, date, integer, pgTable, primaryKey, text } from 'drizzle-orm/pg-core'

/** What the embedded backend has spent on models for one user on one day (UTC): bounds what each costs, however many partitions they have. Deleted with the user, or after 60 days. */
export const engineModelUse = pgTable(
  'engine_model_use',
  {
    ownerId: text('owner_id').notNull(),
    day: date({ mode: 'string' }).notNull(),
    calls: integer().notNull().default(0),
    inputTokens: bigint('input_tokens', { mode: 'number' }).notNull().default(0),
    outputTokens: bigint('output_tokens', { mode: 'number' }).notNull().default(0),
  },
  (table) => [primaryKey({ name: 'engine_model_use_pkey', columns: [table.ownerId, table.day] })],
)
