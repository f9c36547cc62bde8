import { pgTable, text, unique } from 'drizzle-orm/pg-core'
import { accounts } from './accounts.ts'
import { instant } from './columns.ts'

/** A person or end user inside an account. `id` is ours and random; `externalId` is the `user_id` of the API. */
export const users = pgTable(
  'users',
  {
    id: text().primaryKey(),
    accountId: text('account_id')
      .notNull()
      .references(() => accounts.id),
    externalId: text('external_id').notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (table) => [unique('users_account_id_external_id_key').on(table.accountId, table.externalId)],
)
