import { bigint, foreignKey, integer, jsonb, pgTable, text, unique } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'
import { threads } from './threads.ts'

/** Observations that wait for the next activation: of messages that are still shown as they are. */
export interface BufferedChunk {
  readonly observations: string
  readonly tokens: number
  /** Of the messages that it stands for. */
  readonly messageTokens: number
  /** Upstream timestamp of the last of them. */
  readonly through: number
  /** Unix ms. */
  readonly at: number
}

/** How the observations of a generation began: with nothing, or as what the Reflector made of those before. */
export const observationOrigins = ['initial', 'reflection'] as const

/**
 * What the Observer wrote of a thread's messages. The record with the highest `generation` is the one in use; those before it are history,
 * as the Reflector found them.
 */
export const observationRecords = pgTable(
  'observation_records',
  {
    id: text().primaryKey(),
    userId: text('user_id').notNull(),
    threadId: text('thread_id').notNull(),
    generation: integer().notNull(),
    origin: text({ enum: observationOrigins }).notNull(),
    /** The log that is shown to the model. It only grows within a generation, at its end. */
    observations: text().notNull().default(''),
    observationTokens: integer('observation_tokens').notNull().default(0),
    /** Upstream timestamp of the newest message that `observations` stands for; 0: of none. */
    observedThrough: bigint('observed_through', { mode: 'number' }).notNull().default(0),
    lastObservedAt: instant('last_observed_at'),
    /** Of messages, over all generations. */
    totalTokensObserved: bigint('total_tokens_observed', { mode: 'number' }).notNull().default(0),
    buffered: jsonb().$type<readonly BufferedChunk[]>().notNull().default([]),
    /** What the Reflector made of the first `reflectedLines` lines of `observations`, to take their place. */
    bufferedReflection: text('buffered_reflection'),
    reflectedLines: integer('reflected_lines'),
    /** Who is at work on the record, and until when the claim holds. */
    workToken: text('work_token'),
    workLeaseUntil: instant('work_lease_until'),
    work: text({ enum: ['observing', 'reflecting'] }),
    createdAt: instant('created_at').notNull().defaultNow(),
    updatedAt: instant('updated_at').notNull().defaultNow(),
  },
  (table) => [
    foreignKey({ columns: [table.userId, table.threadId], foreignColumns: [threads.userId, threads.id] }).onDelete(
      'cascade',
    ),
    unique('observation_records_thread_id_generation_key').on(table.threadId, table.generation),
  ],
)
