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
  const asked = terms.map((term) => ({
    query: bothQueries(all, anyTermQuery([term])),
    ...(documents >= MANY_DOCUMENTS && { sample: bothQueries(sample, anyTermQuery([term])) }),
  }))
  const counted = await countHolders(db, range, asked, { mostMatches: MOST_MATCHES, common: ENOUGH })
  return counted.map((holders) => ('held' in holders ? holders.held : holders.sampled * SAMPLED))
}

/** How many memories a search covers, up to 10,000; of more, as many as those of the sample stand for. */
export async function estimateDocuments(db: Database, range: SearchRange): Promise<number> {
  const { all, sample, isWhole } = await scopeOf(db, range)
  const count = async (query: string) => {
    const [counted] = await countHolders(db, range, [{ query }], { mostMatches: MANY_DOCUMENTS, common: ENOUGH })
    return counted && 'held' in counted ? counted.held : 0
  }
  const counted = isWhole ? await countMemories(db, range, MANY_DOCUMENTS) : await count(all)
  return counted < MANY_DOCUMENTS ? counted : Math.max(counted, SAMPLED * (await count(sample)))
}
