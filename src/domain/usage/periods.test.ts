import { expect, test } from 'vitest'
import { periodEnd, periodStart } from './periods.ts'

test.each([
  ['minute', '2024-02-29T23:59:59.999Z', '2024-02-29T23:59:00.000Z', '2024-03-01T00:00:00.000Z'],
  ['day', '2024-02-29T23:59:59.999Z', '2024-02-29T00:00:00.000Z', '2024-03-01T00:00:00.000Z'],
  ['day', '2024-03-01T00:00:00.000Z', '2024-03-01T00:00:00.000Z', '2024-03-02T00:00:00.000Z'],
  ['month', '2024-02-29T23:59:59.999Z', '2024-02-01T00:00:00.000Z', '2024-03-01T00:00:00.000Z'],
  ['month', '2024-12-31T23:59:59.999Z', '2024-12-01T00:00:00.000Z', '2025-01-01T00:00:00.000Z'],
] as const)('the %s of %s is from %s to before %s', (period, at, start, end) => {
  const began = periodStart(period, new Date(at))
  expect(began.toISOString()).toBe(start)
  expect(periodEnd(period, began).toISOString()).toBe(end)
})
