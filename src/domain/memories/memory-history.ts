import type { RevisionEvent } from '../../db/schema/memory-revisions.ts'
import { refuseUnknownMemory } from '../audit/refuse-unknown.ts'
import type { MemoryScope, ServiceContext } from '../context.ts'
import { countRevisions, selectRevisions } from './history-queries.ts'
import { findMemory, type MemoryRow } from './queries.ts'
import { TRACKED_FIELDS } from './update-memory.ts'

export interface HistoryEntry {
  /** From 0, the creation. */
  readonly revision: number
  readonly event: RevisionEvent
  readonly changedFields: readonly string[]
  /** By field. */
  readonly diff: Readonly<Record<string, { readonly old: unknown; readonly new: unknown }>>
  /** The key that asked for it; null for the gateway itself. */
  readonly actor: string | null
  readonly createdAt: Date
}

export interface MemoryHistory {
  readonly memory: MemoryRow
  readonly total: number
  /** Oldest first. */
  readonly entries: readonly HistoryEntry[]
  /** The fields whose changes are kept. */
  readonly trackedFields: readonly string[]
}

/** What became of a memory: `limit` 1..1000. `not_found` for one that is not in sight. */
export async function memoryHistory(
  ctx: ServiceContext,
  scope: MemoryScope,
  by: string | number,
  page: { limit: number; offset: number },
): Promise<MemoryHistory> {
  const { db } = ctx.services
  const memory = await findMemory(db, scope, by)
  if (!memory) throw refuseUnknownMemory(ctx, scope, by)
  const rows = await selectRevisions(db, memory, page)
  return {
    memory,
    total: await countRevisions(db, memory),
    entries: rows.map((row) => ({
      revision: row.revision,
      event: row.event,
      changedFields: row.event === 'created' ? [] : Object.keys(row.diff),
      diff: row.event === 'created' ? {} : row.diff,
      actor: row.actor,
      createdAt: row.createdAt,
    })),
    trackedFields: Object.values(TRACKED_FIELDS),
  }
}
