import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { adjustmentOf, importanceOf, LEAST_IMPORTANCE, trendOf } from './importance.ts'

const share = fc.double({ min: 0, max: 1, noNaN: true })
const signals = fc.array(fc.constantFrom('positive', 'negative', 'retrieved', 'ignored'), { maxLength: 30 })
const facts = fc.record({ base: share, accessCount: fc.nat(500), idleDays: fc.nat(2_000), signals })

describe('importanceOf', () => {
  it('stays within its bounds, and never falls below what was said for being low', () => {
    fc.assert(
      fc.property(facts, (given) => {
        const importance = importanceOf(given)
        expect(importance).toBeGreaterThanOrEqual(Math.min(LEAST_IMPORTANCE, given.base))
        expect(importance).toBeLessThanOrEqual(1)
      }),
    )
  })

  it('grows with each access, and shrinks with each idle day', () => {
    fc.assert(
      fc.property(facts, (given) => {
        const importance = importanceOf(given)
        expect(importanceOf({ ...given, accessCount: given.accessCount + 1 })).toBeGreaterThanOrEqual(importance)
        expect(importanceOf({ ...given, idleDays: given.idleDays + 1 })).toBeLessThanOrEqual(importance)
      }),
    )
  })

  it('is what was said of a memory that is new, and half of it in the long run', () => {
    const given = { base: 0.8, accessCount: 0, signals: [] }
    expect(importanceOf({ ...given, idleDays: 0 })).toBeCloseTo(0.8, 10)
    expect(importanceOf({ ...given, idleDays: 90 })).toBeCloseTo(0.6, 10)
    expect(importanceOf({ ...given, idleDays: 10_000 })).toBeCloseTo(0.4, 5)
  })
})

describe('feedback', () => {
  it('counts fully when it is the first, more when signals agree, less when they do not', () => {
    expect(adjustmentOf([])).toBe(0)
    expect(adjustmentOf(['positive'])).toBeCloseTo(0.05, 10)
    expect(adjustmentOf(['positive', 'positive'])).toBeCloseTo(0.075, 10)
    expect(adjustmentOf(['negative', 'positive'])).toBeLessThan(0.05)
    expect(adjustmentOf(['negative'])).toBeCloseTo(-0.08, 10)
    expect(adjustmentOf(['retrieved', 'retrieved'])).toBeGreaterThan(0)
    expect(adjustmentOf(['ignored'])).toBeLessThan(0)
  })

  it('has a trend of its newest signals', () => {
    expect(trendOf([])).toEqual({ momentum: 'neutral', consistency: 0, multiplier: 1, count: 0 })
    const turned = trendOf([
      ...Array.from({ length: 20 }, () => 'positive' as const),
      ...Array.from({ length: 10 }, () => 'negative' as const),
    ])
    expect(turned).toMatchObject({ momentum: 'negative', consistency: 1, multiplier: 1.5, count: 10 })
  })
})
