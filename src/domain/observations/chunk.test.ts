import { describe, expect, it } from 'vitest'
import { nextChunk } from './chunk.ts'

const sizes = (...given: [role: 'user' | 'assistant' | 'tool' | 'calls', tokens: number][]) =>
  given.map(([role, tokens], index) => ({
    role: role === 'calls' ? ('assistant' as const) : role,
    tokens,
    hasCalls: role === 'calls',
    through: index + 1,
  }))

describe('the messages that are observed at a time', () => {
  it('are none if none wait', () => expect(nextChunk([])).toBeUndefined())

  it('are all, if they are not too many', () => {
    expect(nextChunk(sizes(['user', 4_000], ['assistant', 6_000]))).toEqual({ through: 2, tokens: 10_000 })
  })

  it('end with a whole exchange', () => {
    const exchanges = sizes(['user', 3_000], ['assistant', 3_000], ['user', 3_000], ['assistant', 3_000])
    expect(nextChunk(exchanges)).toEqual({ through: 2, tokens: 6_000 })
  })

  it('do not part a call of a tool from its result', () => {
    const calls = sizes(
      ['user', 3_000],
      ['assistant', 3_000],
      ['user', 10],
      ['calls', 10],
      ['tool', 6_000],
      ['assistant', 10],
    )
    expect(nextChunk(calls)).toEqual({ through: 2, tokens: 6_000 })
    expect(nextChunk(calls.slice(0, 4))).toEqual({ through: 2, tokens: 6_000 })
  })

  it('end in the middle of an exchange that is too large', () => {
    const large = sizes(['user', 10], ['assistant', 10], ['user', 9_000], ['assistant', 9_000])
    expect(nextChunk(large)).toEqual({ through: 3, tokens: 9_020 })
  })

  it('are one at least, however large', () => {
    expect(nextChunk(sizes(['user', 90_000], ['assistant', 5]))).toEqual({ through: 1, tokens: 90_000 })
  })
})
