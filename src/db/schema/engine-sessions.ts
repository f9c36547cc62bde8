import { sql } from 'drizzle-orm'
import { bigint, index, integer, pgTable, primaryKey, text } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'

/** How far a session of the embedded backend was flushed, and read by the chat model. Without a row: not at all. */
export const engineSessions = pgTable(
  'engine_sessions',
  {
    projectId: text('project_id').notNull(),
    senderId: text('sender_id').notNull(),
    sessionId: text('session_id').notNull(),
    /** Whose it is, over all partitions; null: known by the sender alone. */
    ownerId: text('owner_id'),
    /** Memories up to this timestamp (unix ms) are flushed, later ones pending. */
    flushedThrough: bigint('flushed_through', { mode: 'number' }).notNull().default(0),
    /** The chat model has drawn facts from what was said up to here (unix ms). */
    factsThrough: bigint('facts_through', { mode: 'number' }).notNull().default(0),
    /** When the model is to be asked next; null: nothing waits for it. While somebody asks it, the end of their claim. */
    factsDueAt: instant('facts_due_at'),
    /** Failed tries in a row. */
    factsAttempts: integer('facts_attempts').notNull().default(0),
    /** Why the last one failed; for people. */
    factsError: text('facts_error'),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ name: 'engine_sessions_pkey', columns: [table.projectId, table.senderId, table.sessionId] }),
    index('engine_sessions_facts_due_idx').on(table.factsDueAt).where(sql`facts_due_at is not null`),
  ],
)
