import type { Database } from '../../../../db/database.ts'
import { anyTermQuery, bothQueries } from '../text/text-vector.ts'
import { type HeldTerm, MOST_MATCHES } from './choose-terms.ts'
import { type FoundMemory, findCandidates, type SearchRange } from './queries.ts'
import { scopeOf } from './scope-of.ts'

/** Candidates that are ranked here; a multiple of the 100 that a caller may ask for. */
const MOST_CANDIDATES = 200
/** Matches that are looked through where no rarer term leaves fewer. */
const MOST_SCANNED = 10_000

/**
 * Memories that hold any of the chosen terms. Of a term that very many hold, those are looked for that hold another of the question's terms as well: they would be the
 * best of all its holders, and an index finds them without going through the others. Only where that leaves fewer than `wanted`, any holder will do.
 */
export async function findPromising(
  db: Database,
  range: SearchRange,
  chosen: readonly HeldTerm[],
  terms: readonly HeldTerm[],
  wanted: number,
): Promise<FoundMemory[]> {
  const held = terms.filter((each) => each.held > 0).map(({ term }) => term.term)
  const parts = chosen.map((each) => {
    const others = held.filter((term) => term !== each.term.term)
    return each.held > MOST_MATCHES && others.length > 0
      ? bothQueries(anyTermQuery([each.term.term]), anyTermQuery(others))
      : undefined
  })
  const names = chosen.map(({ term }) => term.term)
  if (parts.every((part) => part === undefined)) return findHolders(db, range, names)
  const promising = parts.map((part, index) => part ?? anyTermQuery(names.slice(index, index + 1))).join(' | ')
  const found = await find(db, range, promising, anyTermQuery(held))
  return found.length < wanted ? findHolders(db, range, names) : found
}

/** Memories that hold any of the terms. */
export function findHolders(db: Database, range: SearchRange, terms: readonly string[]): Promise<FoundMemory[]> {
  const query = anyTermQuery(terms)
  return find(db, range, query, query)
}

async function find(db: Database, range: SearchRange, query: string, rankQuery: string): Promise<FoundMemory[]> {
  const { all } = await scopeOf(db, range)
  return findCandidates(db, range, {
    query: bothQueries(all, query),
    rankQuery,
    mostMatches: MOST_SCANNED,
    most: MOST_CANDIDATES,
  })
}
