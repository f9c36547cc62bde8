import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { similarPairs, type WordSet } from './similar-pairs.ts'

function cosine(one: WordSet, other: WordSet): number {
  const shared = one.words.filter((word) => other.words.includes(word)).length
  return shared / Math.sqrt(Math.max(1, one.words.length) * Math.max(1, other.words.length))
}

const key = (one: string, other: string) => [one, other].toSorted().join(' ')

const sets = fc
  .array(fc.uniqueArray(fc.constantFrom(...Array.from('abcdefghij')), { maxLength: 8 }), { maxLength: 25 })
  .map((all) => all.map((words, index): WordSet => ({ id: `m${index}`, words })))

describe('similarPairs', () => {
  it('finds the pairs that comparing each with each finds, and no other', async () => {
    await fc.assert(
      fc.asyncProperty(sets, fc.double({ min: 0.05, max: 1, noNaN: true }), async (all, atLeast) => {
        const expected = all.flatMap((one, index) =>
          all.slice(index + 1).flatMap((other) => (cosine(one, other) >= atLeast ? [key(one.id, other.id)] : [])),
        )
        const found = await similarPairs(all, atLeast)
        expect(found.map(({ one, other }) => key(one, other)).toSorted()).toEqual(expected.toSorted())
        const byId = new Map(all.map((set) => [set.id, set]))
        for (const { one, other, similarity } of found) {
          expect(similarity).toBeCloseTo(cosine(byId.get(one)!, byId.get(other)!), 9)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('stops when it is told to', async () => {
    const many = Array.from({ length: 3_000 }, (_, index) => ({
      id: `m${index}`,
      words: Array.from({ length: 10 }, (_unused, place) => `w${(index * 7 + place) % 400}`),
    }))
    await expect(similarPairs(many, 0.1, AbortSignal.abort())).rejects.toThrow('abort')
  })
})
