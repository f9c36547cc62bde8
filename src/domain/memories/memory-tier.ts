/** How recently a memory was of use; `hot` and `warm` ones are worth keeping near. */
export const memoryTiers = ['hot', 'warm', 'cold'] as const
export type MemoryTier = (typeof memoryTiers)[number]

/** Days since a memory was made or last read, up to which it is `hot`, or `warm`. What is older is `cold`. */
const TIER_DAYS = { hot: 7, warm: 60 } as const

const DAY_MS = 86_400_000

export function tierOf(memory: { createdAt: Date; lastAccessedAt: Date | null }, now = new Date()): MemoryTier {
  const used = Math.max(memory.createdAt.getTime(), memory.lastAccessedAt?.getTime() ?? 0)
  const age = now.getTime() - used
  if (age < TIER_DAYS.hot * DAY_MS) return 'hot'
  return age < TIER_DAYS.warm * DAY_MS ? 'warm' : 'cold'
}

/** When the memories of a tier were made or last read: after `after`, and not after `until`. */
export function tierBounds(tier: MemoryTier, now = new Date()): { after?: Date; until?: Date } {
  const daysAgo = (days: number) => new Date(now.getTime() - days * DAY_MS)
  switch (tier) {
    case 'hot':
      return { after: daysAgo(TIER_DAYS.hot) }
    case 'warm':
      return { after: daysAgo(TIER_DAYS.warm), until: daysAgo(TIER_DAYS.hot) }
    case 'cold':
      return { until: daysAgo(TIER_DAYS.warm) }
  }
}
