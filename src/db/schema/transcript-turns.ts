import { bigint, index, integer, jsonb, pgTable, text, unique } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'
import { users } from './users.ts'

/** A turn of a conversation that an application keeps to read it back: never searched, never sent to the backend. */
export const transcriptTurns = pgTable(
  'transcript_turns',
  {
    id: bigint({ mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    userId: text('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    source: text().notNull(),
    sessionId: text('session_id').notNull(),
    role: text().notNull(),
    content: text().notNull(),
    /** Place in the conversation, as the caller counts. */
    seq: integer(),
    occurredAt: instant('occurred_at'),
    payload: jsonb(),
    /** What makes two sendings of a turn the same. */
    fingerprint: text(),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (table) => [
    unique('transcript_turns_fingerprint_key').on(table.userId, table.source, table.sessionId, table.fingerprint),
    index('transcript_turns_session_idx').on(table.userId, table.source, table.sessionId, table.id),
  ],
)
