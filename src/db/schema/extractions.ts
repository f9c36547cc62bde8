import { bigint, foreignKey, pgTable, text, unique } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'
import { sessions } from './sessions.ts'

/**
 * One "extracted" of the backend: it covers the session's messages whose upstream timestamps lie in
 * (`afterTimestamp`, `throughTimestamp`]. Maps a hit that names no messages back to them.
 */
export const extractions = pgTable(
  'extractions',
  {
    id: text().primaryKey(),
    userId: text('user_id').notNull(),
    sessionId: text('session_id').notNull(),
    afterTimestamp: bigint('after_timestamp', { mode: 'number' }).notNull(),
    throughTimestamp: bigint('through_timestamp', { mode: 'number' }).notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (table) => [
    foreignKey({ columns: [table.userId, table.sessionId], foreignColumns: [sessions.userId, sessions.id] }).onDelete(
      'cascade',
    ),
    unique('extractions_session_id_through_timestamp_key').on(table.sessionId, table.throughTimestamp),
  ],
)
