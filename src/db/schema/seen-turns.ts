import { index, pgTable, primaryKey, text } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'
import { users } from './users.ts'

/** Turns of a conversation that were sent to extraction: of each only a hash, by which it is known when it is sent again. */
export const seenTurns = pgTable(
  'seen_turns',
  {
    userId: text('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    fingerprint: text().notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ name: 'seen_turns_pkey', columns: [table.userId, table.fingerprint] }),
    index('seen_turns_created_at_idx').on(table.createdAt),
  ],
)
