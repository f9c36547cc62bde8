import { index, pgTable, text } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'
import { users } from './users.ts'

/**
 * One write that was sent with an `Idempotency-Key`. The key itself is not kept: `id` is a hash of it, and the answer is encrypted under
 * it, so that the row alone gives away neither a user key nor a file's name.
 */
export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    /** SHA-256 of owner, route and key. */
    id: text().primaryKey(),
    /** Whose request it is, or whose data the answer to the operator speaks of. */
    userId: text('user_id').references(() => users.id, { onDelete: 'cascade' }),
    /** SHA-256 of the key and what was asked: the same key with another request is a fault of the caller. */
    fingerprint: text().notNull(),
    /** Which request is at it, and until when it holds the key unless it says that it lives. */
    claimToken: text('claim_token'),
    claimedUntil: instant('claimed_until'),
    /** Written in the transaction of the effect; null as long as there was none; `erased` once what it speaks of was. */
    answer: text(),
    /** Whose data the answer speaks of: a batch that is taken back takes the row along, a deleted session or user the answer. */
    batchId: text('batch_id'),
    sessionId: text('session_id'),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (table) => [
    index('idempotency_keys_created_at_idx').on(table.createdAt),
    index('idempotency_keys_user_id_idx').on(table.userId),
    index('idempotency_keys_batch_id_idx').on(table.batchId),
    index('idempotency_keys_session_id_idx').on(table.sessionId),
  ],
)
