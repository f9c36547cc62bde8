import { sql } from 'drizzle-orm'
import { index, integer, pgTable, primaryKey, real, text } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'

/**
 * What an embedding model made of a text, once for all memories of a partition that say the same. Without a vector: it waits for the model.
 * Nothing is shared between partitions, so that erasing one leaves nothing behind.
 */
export const engineEmbeddings = pgTable(
  'engine_embeddings',
  {
    projectId: text('project_id').notNull(),
    senderId: text('sender_id').notNull(),
    /** The model's name: vectors of different models are never compared. */
    model: text().notNull(),
    contentHash: text('content_hash').notNull(),
    /** Of length 1. */
    embedding: real().array(),
    /** Null: the model was given it and refused it for good, or there is a vector. */
    dueAt: instant('due_at'),
    attempts: integer().notNull().default(0),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (table) => [
    primaryKey({
      name: 'engine_embeddings_pkey',
      columns: [table.projectId, table.senderId, table.model, table.contentHash],
    }),
    index('engine_embeddings_due_idx').on(table.model, table.dueAt).where(sql`due_at is not null`),
  ],
)
