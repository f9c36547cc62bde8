import { bigint, index, integer, jsonb, pgTable, text, unique } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'
import { users } from './users.ts'

/** A value that a framework keeps between runs under a namespace and a key: never a memory. */
export const stateItems = pgTable(
  'state_items',
  {
    id: bigint({ mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    userId: text('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    source: text().notNull(),
    namespace: text().array().notNull(),
    key: text().notNull(),
    value: jsonb().$type<Readonly<Record<string, unknown>>>().notNull(),
    text: text().notNull(),
    /** As in `memories`. */
    terms: text().array().notNull(),
    wordCount: integer('word_count').notNull(),
    metadata: jsonb().$type<Readonly<Record<string, unknown>>>(),
    createdAt: instant('created_at').notNull().defaultNow(),
    updatedAt: instant('updated_at').notNull().defaultNow(),
  },
  (table) => [
    unique('state_items_key').on(table.userId, table.source, table.namespace, table.key),
    index('state_items_user_id_updated_at_idx').on(table.userId, table.source, table.updatedAt, table.id),
  ],
)
