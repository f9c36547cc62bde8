import { describe, expect, it } from 'vitest'
import { fuseRankings } from './fuse-rankings.ts'

const lexical = (...scores: number[]) =>
  scores.map((score, index) => ({ id: `w${index}`, score, parts: { words: score } }))

describe('fuseRankings', () => {
  it('puts what both lists have first before what only one has', () => {
    const ranked = fuseRankings(
      lexical(0.5, 0.5),
      [
        { id: 'w1', similarity: 0.6 },
        { id: 'm', similarity: 0.6 },
      ],
      0,
    )
    expect(ranked.map(({ id }) => id)).toEqual(['w1', 'w0', 'm'])
    expect(ranked[0]?.parts).toMatchObject({
      words: 0.5,
      lexical_rank: 2,
      vector_rank: 1,
      similarity: 0.6,
      meaning: 0.6,
    })
    expect(ranked[2]?.parts).not.toHaveProperty('lexical_rank')
  })

  it('scores between 0 and 1, by ranks times what was found', () => {
    const [best] = fuseRankings(lexical(1), [{ id: 'w0', similarity: 1 }], 0)
    expect(best?.score).toBeCloseTo(1, 9)
    const [weak] = fuseRankings(lexical(0.1), [{ id: 'w0', similarity: 0.1 }], 0)
    expect(weak?.score).toBeCloseTo(0.1, 9)
  })

  it('counts a similarity from what unrelated texts have, and finds nothing by less', () => {
    const near = [
      { id: 'a', similarity: 0.85 },
      { id: 'b', similarity: 0.7 },
      { id: 'c', similarity: 0.6 },
    ]
    const ranked = fuseRankings([], near, 0.7)
    expect(ranked.map(({ id }) => id)).toEqual(['a'])
    expect(ranked[0]?.parts.meaning).toBeCloseTo(0.5, 9)
  })

  it('keeps the order of words where nothing is near', () => {
    expect(fuseRankings(lexical(0.5, 0.4, 0.3), [], 0).map(({ id }) => id)).toEqual(['w0', 'w1', 'w2'])
  })
})
