import { bigint, index, integer, pgTable, text } from 'drizzle-orm/pg-core'
import { instant, tsvector } from './columns.ts'

/** What the embedded backend remembers: a message, or a passage of a long one or of a file. */
export const engineMemories = pgTable(
  'engine_memories',
  {
    /** Follows from the message and `passage`: extracting a message again makes the same memories. */
    id: text().primaryKey(),
    projectId: text('project_id').notNull(),
    senderId: text('sender_id').notNull(),
    sessionId: text('session_id').notNull(),
    /** Unix ms of the message it comes from. */
    timestamp: bigint({ mode: 'number' }).notNull(),
    /** Place within the message, from 0. */
    passage: integer().notNull(),
    subject: text().notNull(),
    body: text().notNull(),
    /** Number of terms, repeats included. */
    length: integer().notNull(),
    terms: tsvector().notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (table) => [
    index('engine_memories_partition_idx').on(table.projectId, table.senderId, table.sessionId, table.timestamp),
    // Without a list of pending entries: every search would read it, and PGlite has nobody who clears it.
    index('engine_memories_terms_idx').using('gin', table.terms).with({ fastupdate: false }),
  ],
)
