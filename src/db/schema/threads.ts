import { foreignKey, index, jsonb, pgTable, text, unique } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'
import { sessions } from './sessions.ts'
import { users } from './users.ts'

/**
 * A conversation through the chat proxy. It belongs to the resource (a user of ours) that named it first. Its messages are those of the
 * session `thread:<externalId>`, made with the first of them.
 */
export const threads = pgTable(
  'threads',
  {
    id: text().primaryKey(),
    userId: text('user_id')
      .notNull()
      .references(() => users.id),
    /** Within which `externalId` names one thread: a project of an account, or one native user. */
    realm: text().notNull(),
    /** The thread id of the API. */
    externalId: text('external_id').notNull(),
    /** Null until its first message. */
    sessionId: text('session_id'),
    title: text(),
    metadata: jsonb().$type<Readonly<Record<string, unknown>>>().notNull().default({}),
    createdAt: instant('created_at').notNull().defaultNow(),
    updatedAt: instant('updated_at').notNull().defaultNow(),
  },
  (table) => [
    foreignKey({ columns: [table.userId, table.sessionId], foreignColumns: [sessions.userId, sessions.id] }),
    unique('threads_realm_external_id_key').on(table.realm, table.externalId),
    unique('threads_user_id_id_key').on(table.userId, table.id),
    index('threads_user_id_updated_at_idx').on(table.userId, table.updatedAt, table.id),
    index('threads_realm_updated_at_idx').on(table.realm, table.updatedAt, table.id),
    index('threads_session_id_idx').on(table.sessionId),
  ],
)
