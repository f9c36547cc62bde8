import { sql } from 'drizzle-orm'
import { bigint, foreignKey, index, pgTable, text, unique } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'
import { scopes } from './scopes.ts'

export const sessionKinds = ['chat', 'resource', 'memory', 'thread'] as const
export type SessionKind = (typeof sessionKinds)[number]

/**
 * An ordered stream of messages. A deleted session keeps its row (`deletedAt`), so that what the backend may still
 * hold of it is recognised and hidden; its `externalId` is freed for a new session.
 */
export const sessions = pgTable(
  'sessions',
  {
    id: text().primaryKey(),
    userId: text('user_id').notNull(),
    scopeId: text('scope_id').notNull(),
    /** The `session_id` of the API; null once deleted. */
    externalId: text('external_id'),
    kind: text({ enum: sessionKinds }).notNull(),
    upstreamSessionId: text('upstream_session_id').notNull().unique('sessions_upstream_session_id_key'),
    /** Unix ms of the newest message as sent upstream: the next one gets a later one. */
    lastUpstreamTimestamp: bigint('last_upstream_timestamp', { mode: 'number' }).notNull().default(0),
    /** Upstream timestamp up to which the backend has extracted. */
    extractedThrough: bigint('extracted_through', { mode: 'number' }).notNull().default(0),
    /** Who relays this session now, and until when the claim holds. */
    relayToken: text('relay_token'),
    relayLeaseUntil: instant('relay_lease_until'),
    createdAt: instant('created_at').notNull().defaultNow(),
    lastActivityAt: instant('last_activity_at').notNull().defaultNow(),
    deletedAt: instant('deleted_at'),
    /** By which erasure it is being deleted; null again when that is done. */
    erasureId: text('erasure_id'),
    /** Of a deleted session: until when the backend may still be at work on something of it. */
    settlesAt: instant('settles_at'),
  },
  (table) => [
    foreignKey({ columns: [table.userId, table.scopeId], foreignColumns: [scopes.userId, scopes.id] }).onDelete(
      'cascade',
    ),
    unique('sessions_scope_id_external_id_key').on(table.scopeId, table.externalId),
    unique('sessions_user_id_id_key').on(table.userId, table.id),
    index('sessions_erasure_id_idx').on(table.erasureId).where(sql`erasure_id is not null`),
    index('sessions_scope_id_last_activity_at_idx').on(table.scopeId, table.lastActivityAt, table.id),
  ],
)
