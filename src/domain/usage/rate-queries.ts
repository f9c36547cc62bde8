import { and, gte, inArray, lt, sql } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { ratePeriods, usageCounters } from '../../db/schema/usage-counters.ts'
import type { Window } from './rate-windows.ts'

/** So many windows go in one statement. */
const AT_ONCE = 1_000

/**
 * Adds to windows, in the order of their key: two that do so at once wait for each other, and never in a circle. Resolves with what all
 * replicas have counted in each, by `windowName`.
 */
export async function addToWindows(
  db: Database,
  news: readonly (Window & { count: number })[],
): Promise<ReadonlyMap<string, number>> {
  const ordered = news.map((row) => ({ row, name: windowName(row) })).sort((a, b) => (a.name < b.name ? -1 : 1))
  const totals = new Map<string, number>()
  for (let at = 0; at < ordered.length; at += AT_ONCE) {
    const { subject, metric, period, startsAt, count } = usageCounters
    const rows = await db
      .insert(usageCounters)
      .values(ordered.slice(at, at + AT_ONCE).map(({ row }) => row))
      .onConflictDoUpdate({
        target: [subject, metric, period, startsAt],
        set: { count: sql`${count} + excluded.count` },
      })
      .returning()
    for (const row of rows) totals.set(windowName(row), row.count)
  }
  return totals
}

export function windowName(window: { subject: string; metric: string; period: string; startsAt: Date }): string {
  return `${window.subject} ${window.metric} ${window.period} ${window.startsAt.getTime()}`
}

/** System scope: the windows that are over. Of a gateway that stood still for longer than a month some may be left. */
export async function deleteOldWindows(db: Database): Promise<void> {
  await db
    .delete(usageCounters)
    .where(
      and(
        inArray(usageCounters.period, [...ratePeriods]),
        lt(usageCounters.startsAt, sql`now() - interval '2 minutes'`),
        gte(usageCounters.startsAt, sql`now() - interval '31 days'`),
      ),
    )
}
