import { documentTerms } from '../../src/text/tokenise.ts'

export const HASHED_DIMENSIONS = 64

/**
 * Stands in for an embedding model in tests: no meaning, but the same numbers for the same words, from their hashes. `synonyms` says which
 * words are to count as others.
 */
export function hashedVector(text: string, synonyms: Readonly<Record<string, string>> = {}): number[] {
  const vector = Array.from<number>({ length: HASHED_DIMENSIONS }).fill(0)
  for (const { term } of documentTerms(text)) {
    const word = synonyms[term] ?? term
    let hash = 2_166_136_261
    for (const character of word) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 16_777_619) >>> 0
    for (let place = 0; place < 8; place++) {
      hash = Math.imul(hash ^ (hash >>> 15), 2_246_822_519) >>> 0
      const at = hash % HASHED_DIMENSIONS
      vector[at] = (vector[at] ?? 0) + (hash & 0x10_000 ? 1 : -1)
    }
  }
  if (!vector.some((number) => number !== 0)) vector[0] = 1
  return vector
}
