import { documentTerms, queryTerms } from './tokenise.ts'

export interface RankedText {
  /** Among the texts that were given. */
  readonly index: number
  /** 0 < score < 1 */
  readonly score: number
}

/** BM25, as the embedded backend has it for its memories: how soon repetition stops to count, and how much a long text loses. */
const K1 = 0.9
const B = 0.4
const CHARACTER_WEIGHT = 0.3
/** Texts assumed to exist besides: a word that is in each of a few texts says something too. */
const ASSUMED_TEXTS = 50

/**
 * Ranks texts that are at hand by the words of a query, best first, equal ones in their order; those without any are left out. The score is the share
 * of the query's weight that a text carries. `pause` is awaited before each text with its length: reading many
 * holds up the process.
 */
export async function rankTexts(
  query: string,
  texts: readonly string[],
  pause: (characters: number) => Promise<void>,
): Promise<RankedText[]> {
  const terms = queryTerms(query)
  if (terms.length === 0) return []
  const counted: { length: number; counts: Map<string, number> }[] = []
  for (const text of texts) {
    await pause(text.length)
    const counts = new Map(terms.map(({ term }) => [term, 0]))
    const found = documentTerms(text)
    for (const { term } of found) {
      const count = counts.get(term)
      if (count !== undefined) counts.set(term, count + 1)
    }
    counted.push({ length: found.length, counts })
  }
  const all = counted.length + ASSUMED_TEXTS
  const weights = terms.map(({ term, kind }) => {
    const holders = counted.filter(({ counts }) => counts.get(term)).length
    return Math.log(1 + (all - holders + 0.5) / (holders + 0.5)) * (kind === 'character' ? CHARACTER_WEIGHT : 1)
  })
  const full = weights.reduce((sum, weight) => sum + weight, 0) * (K1 + 1)
  const usual = counted.reduce((sum, { length }) => sum + length, 0) / Math.max(counted.length, 1) || 1
  const ranked = counted.map(({ length, counts }, index) => {
    const damping = K1 * (1 - B + (B * length) / usual)
    const sum = terms.reduce((total, { term }, at) => {
      const count = counts.get(term) ?? 0
      return total + ((weights[at] ?? 0) * count * (K1 + 1)) / (count + damping)
    }, 0)
    return { index, score: sum / full }
  })
  return ranked.filter(({ score }) => score > 0).toSorted((one, other) => other.score - one.score)
}
