import type { Database } from '../../../../db/database.ts'
import { SAMPLED } from '../text/scope-terms.ts'
import { anyTermQuery, bothQueries } from '../text/text-vector.ts'
import { MOST_MATCHES } from './choose-terms.ts'
import { countHolders, countMemories, type SearchRange } from './queries.ts'
import { scopeOf } from './scope-of.ts'

/** Fewer memories are counted quickly enough. */
export const MANY_DOCUMENTS = 10_000
/** In so many of the sample, a word is in more memories than are ever looked through; in fewer, chance would say too much. */
const ENOUGH = 8
const MOST_SAMPLED = 1_000

/**
 * How many of `documents` memories hold each term. Where there are many, a word that is common in their sample is not counted in all of them: an index finds
 * all holders of a word before the first can be counted.
 */
export async function holdersOf(
  db: Database,
  range: SearchRange,
  terms: readonly string[],
  documents: number,
): Promise<number[]> {
  const { all, sample } = await scopeOf(db, range)
  const count = (within: string, some: readonly string[], most: number) =>
    countHolders(
      db,
      range,
      some.map((term) => bothQueries(within, anyTermQuery([term]))),
      most,
    )
  const sampled = documents < MANY_DOCUMENTS ? [] : await count(sample, terms, MOST_SAMPLED)
  const isCommon = terms.map((_, index) => (sampled[index] ?? 0) >= ENOUGH)
  const rare = terms.filter((_, index) => !isCommon[index])
  const counted = rare.length > 0 ? await count(all, rare, MOST_MATCHES) : []
  let next = 0
  return isCommon.map((common, index) => (common ? (sampled[index] ?? 0) * SAMPLED : (counted[next++] ?? 0)))
}

/** How many memories a search covers, up to 10,000; of more, as many as those of the sample stand for. */
export async function estimateDocuments(db: Database, range: SearchRange): Promise<number> {
  const { all, sample, isWhole } = await scopeOf(db, range)
  const count = async (query: string) => (await countHolders(db, range, [query], MANY_DOCUMENTS))[0] ?? 0
  const counted = isWhole ? await countMemories(db, range, MANY_DOCUMENTS) : await count(all)
  return counted < MANY_DOCUMENTS ? counted : Math.max(counted, SAMPLED * (await count(sample)))
}
