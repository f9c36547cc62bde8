import { bigint, index, pgTable, primaryKey, text } from 'drizzle-orm/pg-core'
import { instant } from './columns.ts'

export const usagePeriods = ['minute', 'day', 'month'] as const
export type UsagePeriod = (typeof usagePeriods)[number]

/** The fixed windows of rate limits, which no plan knows. */
export const ratePeriods = ['rate_10s', 'rate_60s'] as const
export type RatePeriod = (typeof ratePeriods)[number]

/** How much an account, or one of its keys, used in a period (UTC). */
export const usageCounters = pgTable(
  'usage_counters',
  {
    /** Id of the account or the key. */
    subject: text().notNull(),
    metric: text().notNull(),
    period: text({ enum: [...usagePeriods, ...ratePeriods] }).notNull(),
    startsAt: instant('starts_at').notNull(),
    count: bigint({ mode: 'number' }).notNull(),
  },
  (table) => [
    primaryKey({
      name: 'usage_counters_pkey',
      columns: [table.subject, table.metric, table.period, table.startsAt],
    }),
    index('usage_counters_starts_at_idx').on(table.startsAt),
  ],
)
