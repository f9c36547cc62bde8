import type { Database } from '../../../../db/database.ts'
import type { Period } from '../../../../text/periods.ts'
import type { SearchRange } from './queries.ts'
import type { RankedMemory } from './score.ts'
import { findNewest } from './time-queries.ts'

/** As many as words find. */
const MOST_FOUND = 200
/** A long time is looked through from its end, in stretches that an index has; a short one is one of them. */
const STRETCH_MS = 8 * 7 * 86_400_000
/** "In May" is that of any year. */
const MOST_STRETCHES = 24
/** What was said last in the time that is asked for is as good an answer as one that holds each word of a question once. */
const BEST = 0.5
/** How soon a lower rank says less: the twelfth is half as good as the first. */
const RANK_OFFSET = 10

/** Stretches of the periods that lie within a range, the latest first. */
function* stretches(range: SearchRange, periods: readonly Period[]): Generator<SearchRange> {
  for (const period of periods.toSorted((a, b) => b.to - a.to)) {
    const from = Math.max(period.from, range.from)
    for (let to = Math.min(period.to, range.to); to >= from; to -= STRETCH_MS)
      yield { ...range, from: Math.max(from, to - STRETCH_MS + 1), to }
  }
}

/** What was said in any of the periods, the newest first; of each message and file its beginning. At least `wanted`, if there are so many. */
export async function rankByTime(
  db: Database,
  range: SearchRange,
  periods: readonly Period[],
  wanted: number,
): Promise<RankedMemory[]> {
  const found = new Set<string>()
  for (const stretch of stretches(range, periods).take(MOST_STRETCHES)) {
    for (const id of await findNewest(db, stretch, MOST_FOUND)) found.add(id)
    if (found.size >= wanted) break
  }
  return Array.from(found, (id, index) => {
    const rank = index + 1
    return { id, score: (BEST * (RANK_OFFSET + 1)) / (RANK_OFFSET + rank), parts: { time_rank: rank } }
  })
}

/** Each memory by the better of its two scores. */
export function mergeRankings(byTime: readonly RankedMemory[], byWords: readonly RankedMemory[]): RankedMemory[] {
  const merged = new Map(byTime.map((memory) => [memory.id, memory]))
  for (const words of byWords) {
    const time = merged.get(words.id)
    const score = Math.max(words.score, time?.score ?? 0)
    merged.set(words.id, { id: words.id, score, parts: { ...words.parts, ...time?.parts } })
  }
  // Stable: among equal ones the newest of the time that is asked for stay first.
  return [...merged.values()].sort((a, b) => b.score - a.score)
}
