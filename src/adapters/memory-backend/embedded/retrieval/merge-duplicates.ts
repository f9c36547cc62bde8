import type { HitSource, MemoryHit } from '../../../../ports/memory-backend.ts'

/** Texts are the same if their letters and digits are; a text without any is compared as it is. */
function sameness({ text, speaker, fact, pending }: MemoryHit): string {
  const letters = text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, ' ')
    .trim()
  return JSON.stringify([letters || text, speaker, fact?.type, fact?.supersededBy, pending])
}

function nameOf({ sessionId, timestamp, place }: HitSource): string {
  return JSON.stringify([sessionId, timestamp, place?.sha256, place?.page, place?.sheet, place?.slide])
}

/** What one speaker said twice in the same words becomes one hit, in the place of the better: the newest, which names the sources of all, the newest first. */
export function mergeDuplicates(hits: readonly MemoryHit[]): MemoryHit[] {
  const groups = new Map<string, MemoryHit[]>()
  for (const hit of hits) {
    const name = sameness(hit)
    groups.set(name, [...(groups.get(name) ?? []), hit])
  }
  return Array.from(groups.values(), (group) => {
    const [best] = group
    const newestFirst = group.toSorted((a, b) => b.timestamp - a.timestamp)
    const [newest] = newestFirst
    if (!best || !newest || group.length === 1) return group
    const sources = new Map(newestFirst.flatMap((hit) => hit.sources ?? []).map((source) => [nameOf(source), source]))
    const { score, explanation } = best
    return [{ ...newest, score, ...(explanation && { explanation }), sources: [...sources.values()] }]
  }).flat()
}
