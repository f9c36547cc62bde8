import { documentTerms, queryTerms, type Term } from '../../text/tokenise.ts'

/** So many terms of one text are compared; what comes later is not found by them. */
const MOST_TERMS = 2_000

export interface TextTerms {
  /** Distinct. */
  readonly terms: string[]
  /** How many of them are words, which count in a comparison; the rest are single Han characters. */
  readonly wordCount: number
}

/** What of a text can be found, and compared with others. */
export function termsOf(text: string): TextTerms {
  return distinct(documentTerms(text))
}

/** The words of a query; single characters only where it has no words. */
export function wordsOfQuery(query: string): string[] {
  const terms = queryTerms(query)
  const words = terms.filter(({ kind }) => kind === 'word')
  return (words.length > 0 ? words : terms).map(({ term }) => term)
}

function distinct(found: readonly Term[]): TextTerms {
  const words = new Set<string>()
  const characters = new Set<string>()
  for (const { term, kind } of found) {
    if (words.size + characters.size >= MOST_TERMS) break
    if (kind === 'word') words.add(term)
    else characters.add(term)
  }
  return { terms: [...words, ...characters], wordCount: words.size }
}
