import type { Database } from '../../../../db/database.ts'
import { type ScopeQueries, scopeQueries, wholePartition } from '../text/scope-terms.ts'
import { hasOutdatedTerms, type SearchRange } from './queries.ts'

const ASKED_EVERY_MS = 60_000

interface Known {
  readonly isCurrent: boolean
  /** Of `performance.now()`. */
  readonly until: number
}

const knownOn = new WeakMap<Database, Known>()

/** With what words are looked up. As long as there are memories without terms of their session and week: within the partition as a whole. */
export async function scopeOf(db: Database, range: SearchRange): Promise<ScopeQueries> {
  let known = knownOn.get(db)
  if (!known || known.until < performance.now()) {
    known = { isCurrent: !(await hasOutdatedTerms(db)), until: performance.now() + ASKED_EVERY_MS }
    knownOn.set(db, known)
  }
  return known.isCurrent ? scopeQueries(range, Date.now()) : wholePartition(range)
}
