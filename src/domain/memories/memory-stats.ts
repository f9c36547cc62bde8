import type { MemoryScope, ServiceContext } from '../context.ts'
import { countUnready, selectFileTotals, selectTotals, selectTypeCounts, selectUnready } from './stats-queries.ts'

/**
 * Whether the backend has a memory: all of it, not yet, or it refused it (or gave up on it): then the gateway finds it by its words alone.
 */
export type IndexState = 'ready' | 'pending' | 'failed'

/** Of the memories in sight, but for `archived` and `expired`. */
export interface MemoryStats {
  readonly visible: number
  readonly archived: number
  /** Out of sight, and about to be deleted. */
  readonly expired: number
  readonly summaries: number
  /** Who have at least one. */
  readonly users: number
  readonly accesses: number
  /** Most common first. */
  readonly byType: readonly { readonly type: string; readonly count: number }[]
  /** Null if there are none. */
  readonly averageImportance: number | null
  readonly averageConfidence: number | null
  readonly oldestAt: Date | null
  readonly newestAt: Date | null
  readonly textBytes: number
  readonly files: number
  readonly fileBytes: number
  readonly index: Readonly<Record<IndexState, number>>
}

export async function memoryStats(ctx: ServiceContext, scope: MemoryScope): Promise<MemoryStats> {
  const { db } = ctx.services
  const totals = await selectTotals(db, scope)
  if (!totals) throw new Error('An aggregate without a row.')
  const unready = await countUnready(db, scope)
  return {
    ...totals,
    byType: await selectTypeCounts(db, scope),
    ...(await selectFileTotals(db, scope)),
    // Counted one after the other: what is stored between must not make less than nothing.
    index: { ...unready, ready: Math.max(0, totals.visible - unready.pending - unready.failed) },
  }
}

/** By id of each of these memories. */
export async function indexStates(
  ctx: ServiceContext,
  scope: MemoryScope,
  memories: readonly { readonly id: string }[],
): Promise<ReadonlyMap<string, IndexState>> {
  const ids = memories.map(({ id }) => id)
  const unready = await selectUnready(ctx.services.db, scope, ids)
  const states = new Map<string, IndexState>(ids.map((id) => [id, 'ready']))
  for (const { id, failed } of unready) states.set(id, failed ? 'failed' : 'pending')
  return states
}
