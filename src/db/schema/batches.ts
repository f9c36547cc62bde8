import { sql } from 'drizzle-orm'
import { bigint, foreignKey, index, integer, pgTable, text, unique } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'
import { sessions } from './sessions.ts'
import { users } from './users.ts'

export const batchStates = ['receiving', 'stored', 'relaying', 'relayed', 'rejected', 'failed', 'unknown'] as const
export type BatchState = (typeof batchStates)[number]

/**
 * What is to be done in the backend, in the order of `position` within a session: the messages of one add call, or a
 * flush (which has no messages). Together they are the outbox: nothing reaches the backend but through a batch.
 */
export const batches = pgTable(
  'batches',
  {
    id: text().primaryKey(),
    userId: text('user_id')
      .notNull()
      .references(() => users.id),
    /** Null until stored, so that an upload that fails leaves no session. */
    sessionId: text('session_id'),
    action: text({ enum: ['add', 'flush'] }).notNull(),
    state: text({ enum: batchStates }).notNull(),
    /**
     * Order within the session: the upstream timestamp of its last message, or one of its own for a flush. Null until
     * stored.
     */
    position: bigint({ mode: 'number' }),
    /** How often the backend had it in hand without saying what became of it; being away does not count. */
    attempts: integer().notNull().default(0),
    /** Code of the last failure. */
    reason: text(),
    upstreamRequestId: text('upstream_request_id'),
    /** Until when the backend may still be at work on a call whose answer was lost. */
    settlesAt: instant('settles_at'),
    /** Since when it waits; a retry by hand begins anew. */
    openSince: instant('open_since').notNull().defaultNow(),
    createdAt: instant('created_at').notNull().defaultNow(),
    updatedAt: instant('updated_at').notNull().defaultNow(),
  },
  (table) => [
    foreignKey({ columns: [table.userId, table.sessionId], foreignColumns: [sessions.userId, sessions.id] }),
    unique('batches_user_id_id_key').on(table.userId, table.id),
    index('batches_session_id_state_position_idx').on(table.sessionId, table.state, table.position),
    index('batches_state_updated_at_idx').on(table.state, table.updatedAt),
    // What is not relayed (yet) is little, and listed by user.
    index('batches_user_id_created_at_idx').on(table.userId, table.createdAt).where(sql`state <> 'relayed'`),
  ],
)
