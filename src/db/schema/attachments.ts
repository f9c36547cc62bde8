import { sql } from 'drizzle-orm'
import { bigint, foreignKey, index, pgTable, text, unique } from 'drizzle-orm/pg-core'
import { batches } from './batches.ts'
import { instant } from './columns.ts'
import { messages } from './messages.ts'
import { users } from './users.ts'

export const attachmentStates = ['receiving', 'stored', 'deleting'] as const

/**
 * A stored original. The row is written before its object, so that every object is named by a row; it leaves after
 * its object. Once `deleting` it belongs to no batch or message, and only its object is left to delete.
 */
export const attachments = pgTable(
  'attachments',
  {
    id: text().primaryKey(),
    userId: text('user_id')
      .notNull()
      .references(() => users.id),
    batchId: text('batch_id'),
    /** Null until its message is stored. */
    messageId: text('message_id'),
    uploadId: text('upload_id').notNull(),
    /** Files of one user with the same content may share an object: it goes with the last of them. */
    objectKey: text('object_key').notNull(),
    uri: text().notNull(),
    kind: text({ enum: ['image', 'audio', 'doc', 'pdf', 'html', 'email'] }).notNull(),
    mimeType: text('mime_type').notNull(),
    ext: text().notNull(),
    name: text().notNull(),
    /** Bytes. */
    size: bigint({ mode: 'number' }).notNull(),
    /** Lower-case hex. */
    sha256: text().notNull(),
    state: text({ enum: attachmentStates }).notNull(),
    /** Which erasure waits for its object to go. */
    erasureId: text('erasure_id'),
    createdAt: instant('created_at').notNull().defaultNow(),
    updatedAt: instant('updated_at').notNull().defaultNow(),
  },
  (table) => [
    foreignKey({ columns: [table.userId, table.batchId], foreignColumns: [batches.userId, batches.id] }),
    foreignKey({ columns: [table.userId, table.messageId], foreignColumns: [messages.userId, messages.id] }),
    unique('attachments_user_id_id_key').on(table.userId, table.id),
    index('attachments_erasure_id_idx').on(table.erasureId).where(sql`erasure_id is not null`),
    index('attachments_object_key_idx').on(table.objectKey),
    index('attachments_user_id_sha256_idx').on(table.userId, table.sha256),
    index('attachments_message_id_idx').on(table.messageId),
    index('attachments_batch_id_idx').on(table.batchId),
    index('attachments_state_updated_at_idx').on(table.state, table.updatedAt),
  ],
)
