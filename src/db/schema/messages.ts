import { bigint, foreignKey, index, integer, jsonb, pgTable, text, unique } from 'drizzle-orm/pg-core'
import { batches } from './batches.ts'
import { instant } from './columns.ts'
import { sessions } from './sessions.ts'

/** Content as it is kept: files are references to attachments, never bytes. */
export type StoredItem = { type: 'text'; text: string } | { type: string; attachment_id: string }

export interface MessageMetadata {
  /** `provider/model` that the exchange went to. */
  readonly model?: string
  /** Why the answer ended, as the provider says; `cut_off`: its client left, or its provider broke off. */
  readonly finish_reason?: string
}

export const messages = pgTable(
  'messages',
  {
    id: text().primaryKey(),
    userId: text('user_id').notNull(),
    sessionId: text('session_id').notNull(),
    batchId: text('batch_id').notNull(),
    /** Place within the batch, from 0. */
    position: integer().notNull(),
    role: text({ enum: ['user', 'assistant', 'tool'] }).notNull(),
    senderId: text('sender_id').notNull(),
    senderName: text('sender_name'),
    /** Unix ms as the caller gave it. */
    timestamp: bigint({ mode: 'number' }).notNull(),
    /** Unix ms as sent upstream; names the message there. */
    upstreamTimestamp: bigint('upstream_timestamp', { mode: 'number' }).notNull(),
    content: jsonb().$type<StoredItem[]>().notNull(),
    toolCalls: jsonb('tool_calls').$type<unknown[]>(),
    toolCallId: text('tool_call_id'),
    /** Of a message of a thread, as `src/text/estimate-tokens.ts` counts them, media by their type. */
    tokens: integer(),
    /** Of a message of a thread: what else is to be known of it, e.g. the model that wrote it. */
    metadata: jsonb().$type<MessageMetadata>(),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (table) => [
    foreignKey({ columns: [table.userId, table.sessionId], foreignColumns: [sessions.userId, sessions.id] }),
    foreignKey({ columns: [table.userId, table.batchId], foreignColumns: [batches.userId, batches.id] }).onDelete(
      'cascade',
    ),
    // The user last: else a planner with few statistics goes through all messages of a user, where a statement names a session, too.
    unique('messages_id_user_id_key').on(table.id, table.userId),
    unique('messages_session_id_upstream_timestamp_key').on(table.sessionId, table.upstreamTimestamp),
    index('messages_batch_id_idx').on(table.batchId),
  ],
)
