import { pgTable, text, unique } from 'drizzle-orm/pg-core'
import { accounts } from './accounts.ts'
import { instant } from './columns.ts'

/**
 * - `native`: holds user keys.
 * - `end_user`: of an application, named by it, made at first use; reached by the account's service keys only.
 * - `owner`: whose memories are those that an application stores for no end user. `externalId` is empty.
 */
export const userKinds = ['native', 'end_user', 'owner'] as const
export type UserKind = (typeof userKinds)[number]

/**
 * Whose data it is: everything below hangs on one of these. `id` is ours and random; `externalId` is the name that the caller knows, in
 * a project of an account. Erasing a user frees the name at once (`externalId` becomes `erased:` and the id, which no caller can
 * choose); the row leaves when nothing refers to it. A native user's projects are scopes: theirs here is always `default`.
 */
export const users = pgTable(
  'users',
  {
    id: text().primaryKey(),
    accountId: text('account_id')
      .notNull()
      .references(() => accounts.id),
    projectId: text('project_id').notNull().default('default'),
    kind: text({ enum: userKinds }).notNull().default('native'),
    externalId: text('external_id').notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
    erasedAt: instant('erased_at'),
  },
  (table) => [
    unique('users_account_id_project_id_kind_external_id_key').on(
      table.accountId,
      table.projectId,
      table.kind,
      table.externalId,
    ),
  ],
)
