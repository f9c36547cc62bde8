import { jsonb, pgTable, primaryKey, text } from 'drizzle-orm/pg-core'
import { accounts } from './accounts.ts'
import { instant } from './columns.ts'

/** What an application set for a project of its account: types of memories of its own, for one. */
export const projectSettings = pgTable(
  'project_settings',
  {
    accountId: text('account_id')
      .notNull()
      .references(() => accounts.id),
    projectId: text('project_id').notNull(),
    name: text().notNull(),
    value: jsonb().notNull(),
    updatedAt: instant('updated_at').notNull().defaultNow(),
  },
  (table) => [primaryKey({ name: 'project_settings_pkey', columns: [table.accountId, table.projectId, table.name] })],
)
