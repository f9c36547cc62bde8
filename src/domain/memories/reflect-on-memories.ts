import { inTransaction } from '../../db/database.ts'
import { type AlsoStore, type MemoryScope, nothingElse, type ServiceContext } from '../context.ts'
import { CLUSTER_SIZE, memoryClusters } from './memory-clusters.ts'
import type { MemoryRow } from './queries.ts'
import { summarizeMemories } from './summarize-memories.ts'

export interface ReflectInput {
  /** Only memories that were made in so many days until now. */
  readonly windowDays: number
  /** How alike the memories of a pattern are at least, on average; 0..1. */
  readonly minStrength: number
  /** So many patterns are looked at, the largest; 1..100. */
  readonly most: number
  /** Only say which patterns there are. */
  readonly dryRun: boolean
}

export interface Pattern {
  readonly memories: readonly MemoryRow[]
  /** 0..1 */
  readonly strength: number
  /** What most of them share. */
  readonly words: readonly string[]
  /** The summary that was stored, or there before; null on a dry run. */
  readonly insight: { readonly memory: MemoryRow; readonly isNew: boolean } | null
}

export interface ReflectReport {
  readonly patterns: readonly Pattern[]
  readonly dryRun: boolean
}

const DAY_MS = 86_400_000
/** So many groups are looked through for patterns. */
const MOST_GROUPS = 200

/**
 * Finds what comes up again and again in the latest memories of each user, and stores a summary of each such pattern, linked with its memories.
 * Doing it again over the same memories makes no new one. `also` is done at the end.
 */
export async function reflectOnMemories(
  ctx: ServiceContext & { readonly turn: Disposable },
  scope: MemoryScope,
  { windowDays, minStrength, most, dryRun }: ReflectInput,
  also: AlsoStore<ReflectReport> = nothingElse,
): Promise<ReflectReport> {
  const since = Date.now() - windowDays * DAY_MS
  const { clusters } = await memoryClusters(ctx, scope, { limit: MOST_GROUPS })
  const found = clusters
    .filter(({ similarity }) => similarity >= minStrength)
    .map((cluster) => ({
      ...cluster,
      memories: cluster.memories.filter(({ createdAt }) => createdAt.getTime() >= since),
    }))
    .filter(({ memories }) => memories.length >= CLUSTER_SIZE)
    .slice(0, most)
  const patterns: Pattern[] = []
  for (const { memories, similarity: strength, words } of found) {
    const insight = dryRun ? null : await summarise(ctx, scope, memories)
    patterns.push({ memories, strength, words, insight })
  }
  const report = { patterns, dryRun }
  await inTransaction(ctx.services.db, (tx) => also(tx, report))
  return report
}

async function summarise(
  ctx: ServiceContext & { readonly turn: Disposable },
  scope: MemoryScope,
  memories: readonly MemoryRow[],
): Promise<Pattern['insight']> {
  const ids = memories.map(({ id }) => id)
  const { summaries } = await summarizeMemories(ctx, scope, { ids })
  const [summary] = summaries
  return summary ? { memory: summary.memory, isNew: summary.isNew } : null
}
