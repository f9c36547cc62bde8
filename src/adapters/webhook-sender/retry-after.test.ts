import { expect, it } from 'vitest'
import { retryAfterSeconds } from './retry-after.ts'

const now = Date.parse('2026-01-01T00:00:00Z')

it.each([
  ['120', 120],
  [' 0 ', 0],
  ['Thu, 01 Jan 2026 00:00:30 GMT', 30],
  ['Wed, 31 Dec 2025 23:59:30 GMT', 0],
  ['soon', undefined],
  ['-5', undefined],
  ['1e9999', undefined],
  ['', undefined],
  [undefined, undefined],
  [['7', '9'], 7],
])('Retry-After: %s is %s', (header, seconds) => {
  expect(retryAfterSeconds(header as string, now)).toBe(seconds)
})
