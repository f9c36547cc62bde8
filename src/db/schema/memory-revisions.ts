import { foreignKey, integer, jsonb, pgTable, primaryKey, text } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'
import { memories } from './memories.ts'

export const revisionEvents = ['created', 'updated', 'superseded', 'archived', 'restored'] as const
export type RevisionEvent = (typeof revisionEvents)[number]

/** How a memory began, of which only its importance is kept here, and what changed in it, and to what. */
export const memoryRevisions = pgTable(
  'memory_revisions',
  {
    userId: text('user_id').notNull(),
    memoryId: text('memory_id').notNull(),
    /** From 0, the creation. */
    revision: integer().notNull(),
    event: text({ enum: revisionEvents }).notNull(),
    /** By field: its value before and after. */
    diff: jsonb().$type<Readonly<Record<string, { readonly old: unknown; readonly new: unknown }>>>().notNull(),
    /** The key that asked for it; null for the gateway itself. */
    actor: text(),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ name: 'memory_revisions_pkey', columns: [table.memoryId, table.revision] }),
    foreignKey({ columns: [table.userId, table.memoryId], foreignColumns: [memories.userId, memories.id] }).onDelete(
      'cascade',
    ),
  ],
)
