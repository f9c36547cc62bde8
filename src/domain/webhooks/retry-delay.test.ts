import { describe, expect, it } from 'vitest'
import { isRetried, maxAttempts, retryDelay } from './retry-delay.ts'

const webhook = {
  retryEnabled: true,
  maxRetries: 5,
  initialDelay: 10,
  maxDelay: 100,
  backoffMultiplier: 3,
  retryStatusCodes: ['408', '429', '5xx'],
}
const middle = () => 0.5

describe('the delay before another attempt', () => {
  it('grows with each, up to the longest', () => {
    expect([1, 2, 3, 4, 40].map((attempts) => retryDelay(webhook, attempts, undefined, middle))).toEqual([
      10, 30, 90, 100, 100,
    ])
  })

  it('is a fifth longer or shorter, and never over the longest', () => {
    expect(retryDelay(webhook, 1, undefined, () => 0)).toBeCloseTo(8)
    expect(retryDelay(webhook, 1, undefined, () => 0.999_999)).toBeCloseTo(12)
    expect(retryDelay(webhook, 9, undefined, () => 0.999_999)).toBe(100)
  })

  it('is what the receiver asked for, if that is longer, up to the longest', () => {
    expect(retryDelay(webhook, 1, 42, middle)).toBe(42)
    expect(retryDelay(webhook, 1, 2, middle)).toBe(10)
    expect(retryDelay(webhook, 1, 1e9, middle)).toBe(100)
  })
})

it('makes one attempt more than retries, or one', () => {
  expect(maxAttempts(webhook)).toBe(6)
  expect(maxAttempts({ ...webhook, retryEnabled: false })).toBe(1)
})

it.each([
  [408, true],
  [429, true],
  [500, true],
  [503, true],
  [599, true],
  [400, false],
  [404, false],
  [410, false],
  [301, false],
  [428, false],
])('tries again after %i: %s', (status, isTried) => {
  expect(isRetried(webhook, status)).toBe(isTried)
})
