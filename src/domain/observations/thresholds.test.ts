import { describe, expect, it } from 'vitest'
import {
  chunksToActivate,
  isActivationDue,
  isBufferingDue,
  isOverfull,
  isReflectionBufferingDue,
  isReflectionDue,
} from './thresholds.ts'

const settings = { observeTokens: 30_000, reflectTokens: 40_000 }
const chunks = (...tokens: number[]) =>
  tokens.map((messageTokens, index) => ({ observations: '', tokens: 0, messageTokens, through: index + 1, at: 0 }))

describe('the thresholds', () => {
  it.each([
    [5_999, false],
    [6_000, true],
  ])('%i unbuffered tokens: buffering is due: %s', (unbuffered, isDue) => {
    expect(isBufferingDue({ pending: unbuffered, unbuffered }, settings)).toBe(isDue)
  })

  it.each([
    [29_999, false, false],
    [30_000, true, false],
    [35_999, true, false],
    [36_000, true, true],
  ])('%i pending tokens: activation is due: %s, the Observer is behind: %s', (pending, isDue, isBehind) => {
    const unobserved = { pending, unbuffered: 0 }
    expect([isActivationDue(unobserved, settings), isOverfull(unobserved, settings)]).toEqual([isDue, isBehind])
  })

  it.each([
    [19_999, false, false],
    [20_000, true, false],
    [40_000, true, false],
    [40_001, true, true],
  ])('%i tokens of observations: a reflection is prepared: %s, due: %s', (tokens, isPrepared, isDue) => {
    expect([isReflectionBufferingDue(tokens, settings), isReflectionDue(tokens, settings)]).toEqual([isPrepared, isDue])
  })
})

describe('what takes effect', () => {
  it.each([
    ['as much as leaves a fifth of the threshold', 30_000, [6_000, 6_000, 6_000, 6_000, 6_000], 4],
    ['less where a chunk would leave too little', 30_000, [7_000, 7_000, 7_000, 7_000], 3],
    ['one chunk, however large', 30_000, [29_000], 1],
    [
      'of an overfull thread the fewest that leave no more than a fifth',
      37_000,
      [7_000, 7_000, 7_000, 7_000, 7_000, 2_000],
      5,
    ],
    ['of an overfull thread all there is, if that is not enough', 60_000, [10_000, 10_000], 2],
  ])('%s', (_, pending, sizes, count) => {
    expect(chunksToActivate(chunks(...sizes), { pending, unbuffered: 0 }, settings)).toBe(count)
  })
})
