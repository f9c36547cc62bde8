import { sql } from 'drizzle-orm'
import { bigint, index, jsonb, pgTable, primaryKey, text } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'

/** What a message said, its files already read; strings are free of NUL and lone surrogates. */
export interface EngineContent {
  readonly speaker: string
  readonly parts: readonly EnginePart[]
}

/** `title`: of the document, or the file's name. Absent: what the message itself says. */
export interface EnginePart {
  readonly text: string
  readonly title?: string
}

/**
 * Messages that the embedded backend was given. Until they are flushed they carry their content: that is the buffer.
 * Afterwards the row stays, so that a message sent again is recognised.
 */
export const engineMessages = pgTable(
  'engine_messages',
  {
    projectId: text('project_id').notNull(),
    senderId: text('sender_id').notNull(),
    sessionId: text('session_id').notNull(),
    /** Unix ms. */
    timestamp: bigint({ mode: 'number' }).notNull(),
    /** Null once extracted. */
    content: jsonb().$type<EngineContent>(),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (table) => [
    primaryKey({
      name: 'engine_messages_pkey',
      columns: [table.projectId, table.senderId, table.sessionId, table.timestamp],
    }),
    index('engine_messages_buffered_idx')
      .on(table.projectId, table.senderId, table.sessionId, table.timestamp)
      .where(sql`content is not null`),
  ],
)
