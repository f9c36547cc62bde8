import {
  bigint,
  doublePrecision,
  foreignKey,
  index,
  jsonb,
  pgTable,
  primaryKey,
  text,
  unique,
} from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'
import { memories } from './memories.ts'

/** That one memory has to do with another of the same user. */
export const memoryLinks = pgTable(
  'memory_links',
  {
    number: bigint({ mode: 'number' }).notNull().generatedAlwaysAsIdentity(),
    userId: text('user_id').notNull(),
    fromId: text('from_id').notNull(),
    toId: text('to_id').notNull(),
    /** `similar` (found by the gateway), `summary_of`, `supersedes`, or what the caller says. */
    type: text().notNull(),
    /** 0..1; null if nobody said. */
    confidence: doublePrecision(),
    metadata: jsonb().$type<Readonly<Record<string, unknown>>>(),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ name: 'memory_links_pkey', columns: [table.fromId, table.toId, table.type] }),
    unique('memory_links_number_key').on(table.number),
    foreignKey({ columns: [table.userId, table.fromId], foreignColumns: [memories.userId, memories.id] }).onDelete(
      'cascade',
    ),
    foreignKey({ columns: [table.userId, table.toId], foreignColumns: [memories.userId, memories.id] }).onDelete(
      'cascade',
    ),
    index('memory_links_to_id_idx').on(table.toId),
  ],
)
