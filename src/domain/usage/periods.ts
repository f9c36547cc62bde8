import type { UsagePeriod } from '../../db/schema/usage-counters.ts'

/** Where the period began in which `at` lies. UTC. */
export function periodStart(period: UsagePeriod, at: Date): Date {
  const [year, month, day] = [at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate()]
  if (period === 'month') return new Date(Date.UTC(year, month))
  if (period === 'day') return new Date(Date.UTC(year, month, day))
  return new Date(Math.floor(at.getTime() / 60_000) * 60_000)
}

/** Where the period ends that begins at `start`. */
export function periodEnd(period: UsagePeriod, start: Date): Date {
  const [year, month, day] = [start.getUTCFullYear(), start.getUTCMonth(), start.getUTCDate()]
  if (period === 'month') return new Date(Date.UTC(year, month + 1))
  if (period === 'day') return new Date(Date.UTC(year, month, day + 1))
  return new Date(start.getTime() + 60_000)
}
