import { describe, expect, it } from 'vitest'
import type { Term } from '../../../../text/tokenise.ts'
import { type Candidate, rank } from './rank.ts'

const terms: Term[] = [
  { term: 'budget', kind: 'word' },
  { term: 'observatory', kind: 'word' },
  { term: '蓝', kind: 'character' },
]
const around = { documents: 1_000, holders: [300, 3, 3] }

function candidate(id: string, counts: readonly number[], rest: Partial<Candidate> = {}): Candidate {
  return {
    id,
    timestamp: 1,
    length: 20,
    counts: counts.map((body) => (body > 0 ? { title: 0, speaker: 0, body } : undefined)),
    ...rest,
  }
}

const order = (...candidates: Candidate[]) => rank(terms, candidates, around).map(({ id }) => id)

describe('rank', () => {
  it('puts the rarer term before the more frequent one', () => {
    expect(order(candidate('common', [3, 0, 0]), candidate('rare', [0, 1, 0]))).toEqual(['rare', 'common'])
  })

  it('gives a single character less than a word of the same rarity', () => {
    expect(order(candidate('character', [0, 0, 1]), candidate('word', [0, 1, 0]))).toEqual(['word', 'character'])
  })

  it('prefers the shorter, and what has it in the title', () => {
    expect(order(candidate('long', [1, 0, 0], { length: 200 }), candidate('short', [1, 0, 0]))).toEqual([
      'short',
      'long',
    ])
    const titled = candidate('titled', [], { counts: [{ title: 1, speaker: 0, body: 0 }, undefined, undefined] })
    expect(order(candidate('body', [1, 0, 0]), titled)).toEqual(['titled', 'body'])
  })

  it('breaks ties by time, then id', () => {
    const same = [candidate('b', [1, 0, 0]), candidate('a', [1, 0, 0]), candidate('new', [1, 0, 0], { timestamp: 2 })]
    expect(order(...same)).toEqual(['new', 'a', 'b'])
    expect(order(...same.toReversed())).toEqual(['new', 'a', 'b'])
  })

  it('scores between 0 and 1, about a half for every term once', () => {
    const all = rank(terms, [candidate('all', [1, 1, 1])], around)[0]?.score ?? 0
    expect(all).toBeGreaterThan(0.45)
    expect(all).toBeLessThan(0.6)
    const much = rank(terms, [candidate('much', [99, 99, 99])], around)[0]?.score ?? 0
    expect(much).toBeGreaterThan(all)
    expect(much).toBeLessThan(1)
    expect(rank(terms, [candidate('none', [0, 0, 0])], around)).toEqual([])
  })
})
