import { pgTable, text, unique } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'
import { users } from './users.ts'

/** One (user, app_id, project_id), and the random names under which the backend knows it. */
export const scopes = pgTable(
  'scopes',
  {
    id: text().primaryKey(),
    userId: text('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    appId: text('app_id').notNull(),
    projectId: text('project_id').notNull(),
    upstreamProjectId: text('upstream_project_id').notNull().unique('scopes_upstream_project_id_key'),
    upstreamSenderId: text('upstream_sender_id').notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (table) => [
    unique('scopes_user_id_app_id_project_id_key').on(table.userId, table.appId, table.projectId),
    unique('scopes_user_id_id_key').on(table.userId, table.id),
  ],
)
