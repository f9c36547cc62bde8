import { pgTable, text, unique } from 'drizzle-orm/pg-core'
import { accounts } from './accounts.ts'
import { instant } from './columns.ts'

/**
 * A person or end user inside an account. `id` is ours and random; `externalId` is the `user_id` of the API. Erasing a user frees the
 * name at once (`externalId` becomes `erased:` and the id, which no caller can choose); the row leaves when nothing refers to it.
 */
export const users = pgTable(
  'users',
  {
    id: text().primaryKey(),
    accountId: text('account_id')
      .notNull()
      .references(() => accounts.id),
    externalId: text('external_id').notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
    erasedAt: instant('erased_at'),
  },
  (table) => [unique('users_account_id_external_id_key').on(table.accountId, table.externalId)],
)
