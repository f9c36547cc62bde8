import { bigint, index, pgTable, text, unique } from 'drizzle-orm/pg-core'
import { accounts } from './accounts.ts'
import { instant } from './columns.ts'

/** `admin` may do all, and manage the account's keys and webhooks. */
export const keyScopes = ['read', 'write', 'admin'] as const
export type KeyScope = (typeof keyScopes)[number]

/** Service keys of an account. Only the SHA-256 of a key is kept, and its first characters to tell it from others. */
export const apiKeys = pgTable(
  'api_keys',
  {
    id: text().primaryKey(),
    /** The id of the key where an API wants a number. */
    number: bigint({ mode: 'number' }).notNull().generatedAlwaysAsIdentity(),
    accountId: text('account_id')
      .notNull()
      .references(() => accounts.id),
    name: text().notNull(),
    hash: text().notNull().unique('api_keys_hash_key'),
    prefix: text().notNull(),
    /** The only project that the key works in; null: the caller names one. */
    projectId: text('project_id'),
    scopes: text({ enum: keyScopes }).array().notNull(),
    /** Name of the plan whose limits hold for this key alone, beside those of its account. */
    plan: text(),
    createdAt: instant('created_at').notNull().defaultNow(),
    /** To the minute. */
    lastUsedAt: instant('last_used_at'),
    expiresAt: instant('expires_at'),
    revokedAt: instant('revoked_at'),
  },
  (table) => [
    unique('api_keys_number_key').on(table.number),
    index('api_keys_account_id_idx').on(table.accountId, table.createdAt),
  ],
)
