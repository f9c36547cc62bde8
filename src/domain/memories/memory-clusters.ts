import type { MemoryScope, ServiceContext } from '../context.ts'
import { forEachUser, selectComparable } from './compare-texts.ts'
import type { ComparedText } from './link-queries.ts'
import { type MemoryRow, selectMemories } from './queries.ts'
import { similarPairs } from './similar-pairs.ts'

export interface MemoryCluster {
  /** Of one user, the one that most of the others are like first. */
  readonly memories: readonly MemoryRow[]
  /** Of its first memory with the others, on average. */
  readonly similarity: number
  /** Words that most of them share, most common first. */
  readonly words: readonly string[]
}

export interface ClusterReport {
  /** Largest first. */
  readonly clusters: readonly MemoryCluster[]
  /** False: there are more memories than were compared. */
  readonly complete: boolean
}

/** Memories that are at least so similar belong together, if there are at least so many of them. */
const CLUSTER_FROM = 0.5
export const CLUSTER_SIZE = 3
const MOST_IN_CLUSTER = 50
const MOST_WORDS = 8

/** Groups of related memories; `limit` 1..200. */
export async function memoryClusters(
  ctx: ServiceContext,
  scope: MemoryScope,
  { limit }: { limit: number },
): Promise<ClusterReport> {
  const groups: (TextCluster & { userId: string })[] = []
  let complete = true
  const gotToAll = await forEachUser(ctx, scope, async (own) => {
    const { texts, isWhole } = await selectComparable(ctx, own)
    const found = await clusterTexts(texts, ctx.signal)
    groups.push(...found.map((cluster) => ({ ...cluster, userId: own.userId })))
    groups.sort((one, other) => other.texts.length - one.texts.length)
    groups.splice(limit)
    complete &&= isWhole
  })
  const clusters: MemoryCluster[] = []
  for (const { texts, similarity, userId } of groups) {
    const ids = texts.map(({ id }) => id)
    const rows = await selectMemories(
      ctx.services.db,
      { ...scope, userId },
      { ids },
      { limit: ids.length, order: 'asc' },
    )
    const byId = new Map(rows.map((row) => [row.id, row]))
    clusters.push({ memories: ids.flatMap((id) => byId.get(id) ?? []), similarity, words: commonWords(texts) })
  }
  return { clusters, complete: complete && gotToAll }
}

export interface TextCluster {
  /** The one that most of the others are like first. */
  readonly texts: readonly ComparedText[]
  readonly similarity: number
}

/** Around the text with the most like it, those that are; then around the next of those that are left; largest first. */
export async function clusterTexts(texts: readonly ComparedText[], signal?: AbortSignal): Promise<TextCluster[]> {
  const byId = new Map(texts.map((text) => [text.id, text]))
  const near = new Map<string, Map<string, number>>(texts.map(({ id }) => [id, new Map()]))
  for (const { one, other, similarity } of await similarPairs(texts, CLUSTER_FROM, signal)) {
    near.get(one)?.set(other, similarity)
    near.get(other)?.set(one, similarity)
  }
  const leaders = [...near].toSorted(
    ([one, ofOne], [other, ofOther]) => ofOther.size - ofOne.size || (one < other ? -1 : 1),
  )
  const taken = new Set<string>()
  const clusters: TextCluster[] = []
  for (const [leader, others] of leaders) {
    if (taken.has(leader)) continue
    const free = [...others]
      .filter(([id]) => !taken.has(id))
      .toSorted(([one, ofOne], [other, ofOther]) => ofOther - ofOne || (one < other ? -1 : 1))
      .slice(0, MOST_IN_CLUSTER - 1)
    if (free.length + 1 < CLUSTER_SIZE) continue
    for (const id of [leader, ...free.map(([other]) => other)]) taken.add(id)
    clusters.push({
      texts: [leader, ...free.map(([id]) => id)].flatMap((id) => byId.get(id) ?? []),
      similarity: free.reduce((sum, [, similarity]) => sum + similarity, 0) / free.length,
    })
  }
  return clusters.toSorted((one, other) => other.texts.length - one.texts.length)
}

function commonWords(texts: readonly ComparedText[]): string[] {
  const counts = new Map<string, number>()
  for (const { words } of texts) for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  return [...counts]
    .filter(([, count]) => count * 2 > texts.length)
    .toSorted(([one, ofOne], [other, ofOther]) => ofOther - ofOne || (one < other ? -1 : 1))
    .slice(0, MOST_WORDS)
    .map(([word]) => word)
}
