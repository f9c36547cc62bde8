import { foreignKey, index, pgTable, text, unique } from 'drizzle-orm/pg-core'
import { attachments } from './attachments.ts'
import { instant } from './columns.ts'
import { sessions } from './sessions.ts'

export const resourceStates = ['processing', 'extracted', 'failed'] as const
export type ResourceState = (typeof resourceStates)[number]

/** An independent file with a session of its own. */
export const userResources = pgTable(
  'user_resources',
  {
    /** `r_` and 32 hex digits. */
    id: text().primaryKey(),
    userId: text('user_id').notNull(),
    sessionId: text('session_id').notNull(),
    attachmentId: text('attachment_id').notNull(),
    title: text(),
    description: text(),
    status: text({ enum: resourceStates }).notNull(),
    /** Code of the failure, when failed. */
    error: text(),
    createdAt: instant('created_at').notNull().defaultNow(),
    updatedAt: instant('updated_at').notNull().defaultNow(),
  },
  (table) => [
    foreignKey({ columns: [table.userId, table.sessionId], foreignColumns: [sessions.userId, sessions.id] }).onDelete(
      'cascade',
    ),
    foreignKey({ columns: [table.userId, table.attachmentId], foreignColumns: [attachments.userId, attachments.id] }),
    unique('user_resources_session_id_key').on(table.sessionId),
    index('user_resources_user_id_created_at_idx').on(table.userId, table.createdAt, table.id),
  ],
)
