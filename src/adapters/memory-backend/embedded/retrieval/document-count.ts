import type { Database } from '../../../../db/database.ts'
import { estimateDocuments } from './count-holders.ts'
import type { SearchRange } from './queries.ts'

/** Of so many, those that come and go within a minute change no rank. */
const MANY = 1_000
const KEPT_MS = 60_000
const MOST_KEPT = 10_000

interface Counted {
  readonly count: number
  /** Of `performance.now()`. */
  readonly until: number
}

const keptOn = new WeakMap<Database, Map<string, Counted>>()

/**
 * How many memories a search covers, from 10,000 on roughly: only the weight of its words depends on it. Counting them takes longer than finding some, so the
 * number of a large memory as a whole is kept for a minute.
 */
export async function countDocuments(db: Database, range: SearchRange): Promise<number> {
  const { projectId, senderId, from, to, sessionIds } = range
  if (sessionIds || from > 0 || to < Number.MAX_SAFE_INTEGER) return estimateDocuments(db, range)
  const kept = keptOn.get(db) ?? new Map<string, Counted>()
  keptOn.set(db, kept)
  const name = `${projectId} ${senderId}`
  const known = kept.get(name)
  if (known && known.until > performance.now()) return known.count
  const count = await estimateDocuments(db, range)
  if (kept.size >= MOST_KEPT) kept.clear()
  if (count >= MANY) kept.set(name, { count, until: performance.now() + KEPT_MS })
  else kept.delete(name)
  return count
}
