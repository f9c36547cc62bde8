import { sql } from 'drizzle-orm'
import { bigint, doublePrecision, index, integer, jsonb, pgTable, smallint, text } from 'drizzle-orm/pg-core'
import type { FactDetails, FilePlace } from '../../ports/memory-backend.ts'
import { instant, tsvector } from './columns.ts'

/** How `terms` are made; older rows are made anew in the background. */
export const TERMS_VERSION = 2

/** What the embedded backend remembers: a message, a passage of a long one or of a file, or a fact that a model drew from messages. */
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
    termsVersion: smallint('terms_version').notNull().default(1),
    kind: text({ enum: ['turn', 'passage', 'fact'] })
      .notNull()
      .default('turn'),
    /** Of whoever said it, as a reader is shown them; empty: unknown. */
    speaker: text().notNull().default(''),
    role: text({ enum: ['user', 'assistant', 'tool'] })
      .notNull()
      .default('user'),
    /** Of a passage of a file. */
    place: jsonb().$type<FilePlace>(),
    /** Of the text that is embedded; names its row in `engine_embeddings`. */
    contentHash: text('content_hash'),
    /** The rest is of facts. */
    factType: text('fact_type').$type<FactDetails['type']>(),
    confidence: doublePrecision(),
    /** Unix ms. */
    occurredAt: bigint('occurred_at', { mode: 'number' }),
    /** Timestamps of the messages that it was drawn from, of its session. */
    sourceTimestamps: bigint('source_timestamps', { mode: 'number' }).array(),
    /** Id of the newer fact that contradicts it. */
    supersededBy: text('superseded_by'),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (table) => [
    index('engine_memories_partition_idx').on(table.projectId, table.senderId, table.sessionId, table.timestamp),
    // Without a list of pending entries: every search would read it, and PGlite has nobody who clears it.
    index('engine_memories_outdated_idx').on(table.id).where(sql`terms_version < 2`),
    // The partition last: else a planner without statistics takes it for searches that name a partition and a session.
    index('engine_memories_hash_idx')
      .on(table.contentHash, table.projectId, table.senderId)
      .where(sql`content_hash is not null`),
    // Facts are compared with facts, which are few beside what was said.
    index('engine_memories_facts_idx').on(table.projectId, table.senderId, table.timestamp).where(sql`kind = 'fact'`),
    index('engine_memories_fact_terms_idx')
      .using('gin', table.terms)
      .with({ fastupdate: false })
      .where(sql`kind = 'fact'`),
    index('engine_memories_terms_idx').using('gin', table.terms).with({ fastupdate: false }),
  ],
)
