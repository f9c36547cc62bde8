import { sql } from 'drizzle-orm'
import { bigint, index, jsonb, pgTable, primaryKey, text } from 'drizzle-orm/pg-core'
import type { FilePlace } from '../../ports/memory-backend.ts'
import { instant } from './columns.ts'

/** What a message said, its files already read; strings are free of NUL and lone surrogates. */
export interface EngineContent {
  readonly speaker: string
  /** Absent: an older version wrote it. */
  readonly role?: 'user' | 'assistant' | 'tool'
  readonly parts: readonly EnginePart[]
}

/** `title`: of the document, or the file's name. Absent: what the message itself says. */
export interface EnginePart {
  readonly text: string
  readonly title?: string
  /** Of a part of a file. */
  readonly place?: FilePlace
}

/** Messages that the embedded backend was given: their names, so that one sent again is recognised. */
export const engineMessages = pgTable(
  'engine_messages',
  {
    projectId: text('project_id').notNull(),
    senderId: text('sender_id').notNull(),
    sessionId: text('session_id').notNull(),
    /** Unix ms. */
    timestamp: bigint({ mode: 'number' }).notNull(),
    /** Of an older version, which made memories only when it was flushed; null once they are made. */
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
