import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memoryTiers, tierBounds, tierOf } from './memory-tier.ts'

const DAY_MS = 86_400_000
const now = new Date('2026-06-01T00:00:00Z')
const daysAgo = (days: number) => new Date(now.getTime() - days * DAY_MS)

describe('tierOf', () => {
  it('is hot for a week, warm for sixty days, then cold', () => {
    const tier = (days: number) => tierOf({ createdAt: daysAgo(days), lastAccessedAt: null }, now)
    expect([0, 6.999, 7, 59.999, 60, 1_000].map(tier)).toEqual(['hot', 'hot', 'warm', 'warm', 'cold', 'cold'])
  })

  it('says the same as the bounds of the tiers, of which each instant is in one', () => {
    const instant = fc.integer({ min: 0, max: 70 * DAY_MS }).map((ms) => new Date(now.getTime() - ms))
    const atBound = fc.constantFrom(daysAgo(7), daysAgo(60))
    fc.assert(
      fc.property(fc.oneof(instant, atBound), fc.option(fc.oneof(instant, atBound)), (createdAt, lastAccessedAt) => {
        const used = Math.max(createdAt.getTime(), lastAccessedAt?.getTime() ?? 0)
        const within = memoryTiers.filter((tier) => {
          const { after, until } = tierBounds(tier, now)
          return (!after || used > after.getTime()) && (!until || used <= until.getTime())
        })
        expect(within).toEqual([tierOf({ createdAt, lastAccessedAt }, now)])
      }),
    )
  })
})
