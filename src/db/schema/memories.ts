import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  doublePrecision,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  text,
  unique,
} from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'
import { sessions } from './sessions.ts'

/** Where in an application a memory was made, by the application's own names. */
export interface MemoryOrigin {
  readonly agent_id?: string | undefined
  readonly team_id?: string | undefined
  readonly session_id?: string | undefined
  readonly conversation_id?: string | undefined
}

/**
 * An explicit memory: what an application asked to have kept, and what the gateway knows of it. Its text is also the one message of the
 * session `memory:<id>`, through which the backend learns it.
 */
export const memories = pgTable(
  'memories',
  {
    /** A UUID. */
    id: text().primaryKey(),
    /** The id of the memory where an API wants a number. */
    number: bigint({ mode: 'number' }).notNull().generatedAlwaysAsIdentity(),
    /** Those of its user, for queries on all of a project. */
    accountId: text('account_id').notNull(),
    projectId: text('project_id').notNull(),
    userId: text('user_id').notNull(),
    sessionId: text('session_id').notNull(),
    content: text().notNull(),
    summary: text(),
    keyPoints: text('key_points').array().notNull().default([]),
    /** `preference`, `fact`, `experience`, `goal`, `relationship`, or one that the account added. */
    type: text().notNull(),
    /** 0..1; how sure the extraction is of it. */
    confidence: doublePrecision().notNull(),
    /** 0..1 */
    importance: doublePrecision().notNull(),
    tags: text().array().notNull().default([]),
    metadata: jsonb().$type<Readonly<Record<string, unknown>>>().notNull().default({}),
    origin: jsonb().$type<MemoryOrigin>().notNull().default({}),
    source: text(),
    eventType: text('event_type'),
    isSummary: boolean('is_summary').notNull().default(false),
    /** The caller's own name for what it stores, so that sending it again is recognised. */
    clientRef: text('client_ref'),
    /** The distinct terms of the text, as `src/text/tokenise.ts` finds them. */
    terms: text().array().notNull(),
    /** How many of them are words: the length of the text in a comparison. */
    wordCount: integer('word_count').notNull(),
    accessCount: integer('access_count').notNull().default(0),
    lastAccessedAt: instant('last_accessed_at'),
    expiresAt: instant('expires_at'),
    /** Since when it is out of sight: of all but statistics. */
    archivedAt: instant('archived_at'),
    /** The memory that took its place. */
    supersededBy: text('superseded_by'),
    createdAt: instant('created_at').notNull().defaultNow(),
    updatedAt: instant('updated_at').notNull().defaultNow(),
  },
  (table) => [
    foreignKey({ columns: [table.userId, table.sessionId], foreignColumns: [sessions.userId, sessions.id] }).onDelete(
      'cascade',
    ),
    unique('memories_number_key').on(table.number),
    unique('memories_user_id_id_key').on(table.userId, table.id),
    unique('memories_user_id_client_ref_key').on(table.userId, table.clientRef),
    index('memories_session_id_idx').on(table.sessionId),
    index('memories_user_id_created_at_idx').on(table.userId, table.createdAt, table.id),
    index('memories_account_id_project_id_created_at_idx').on(
      table.accountId,
      table.projectId,
      table.createdAt,
      table.id,
    ),
    index('memories_expires_at_idx').on(table.expiresAt).where(sql`expires_at is not null`),
    index('memories_terms_idx').using('gin', table.terms).with({ fastupdate: false }),
  ],
)
