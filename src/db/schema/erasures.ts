import { sql } from 'drizzle-orm'
import { bigint, index, integer, jsonb, pgTable, text } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'

/** What an erasure left in a backend that cannot delete, by the backend's own names. */
export interface LeftUpstream {
  readonly project_id: string
  readonly session_id?: string
}

/** The deletion of a user, a session or a resource, and its receipt. It outlives what it is about, so it refers to nothing. */
export const erasures = pgTable(
  'erasures',
  {
    id: text().primaryKey(),
    accountId: text('account_id').notNull(),
    userId: text('user_id').notNull(),
    kind: text({ enum: ['user', 'session', 'resource', 'memory'] }).notNull(),
    /** `gateway`: taken back because the backend refused it. */
    requestedBy: text('requested_by', { enum: ['user', 'admin', 'gateway'] }).notNull(),
    /** Counts and bytes of what was there. */
    sessions: integer().notNull(),
    messages: integer().notNull(),
    objects: integer().notNull(),
    bytes: bigint({ mode: 'number' }).notNull(),
    /** For the operator to delete in the backend; empty where the backend did it. */
    leftUpstream: jsonb('left_upstream').$type<LeftUpstream[]>().notNull().default([]),
    createdAt: instant('created_at').notNull().defaultNow(),
    updatedAt: instant('updated_at').notNull().defaultNow(),
    finishedAt: instant('finished_at'),
  },
  (table) => [index('erasures_unfinished_idx').on(table.updatedAt).where(sql`finished_at is null`)],
)
