import { bigint, foreignKey, index, pgTable, text } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'
import { memories } from './memories.ts'

export const feedbackSignals = ['positive', 'negative', 'retrieved', 'ignored'] as const
export type FeedbackSignal = (typeof feedbackSignals)[number]

/** What applications said of a memory's use. */
export const memoryFeedback = pgTable(
  'memory_feedback',
  {
    id: bigint({ mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    userId: text('user_id').notNull(),
    memoryId: text('memory_id').notNull(),
    signal: text({ enum: feedbackSignals }).notNull(),
    comment: text(),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  (table) => [
    foreignKey({ columns: [table.userId, table.memoryId], foreignColumns: [memories.userId, memories.id] }).onDelete(
      'cascade',
    ),
    index('memory_feedback_memory_id_idx').on(table.memoryId, table.id),
  ],
)
