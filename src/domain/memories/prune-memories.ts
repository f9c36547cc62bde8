import { inTransaction } from '../../db/database.ts'
import { deleteObjects } from '../attachments/delete-objects.ts'
import type { AttachmentRow } from '../attachments/queries.ts'
import { type AlsoStore, type MemoryScope, nothingElse, type ServiceContext } from '../context.ts'
import { archiveLocked, deleteLocked } from './delete-memories.ts'
import {
  countPrunable,
  findCountBoundary,
  lockPrunable,
  type PruneCounts,
  type PruneRule,
  selectPrunable,
} from './prune-queries.ts'
import type { MemoryPlace } from './queries.ts'

export interface PruneInput {
  /** Older ones go; days since they were made. */
  readonly maxAgeDays?: number | undefined
  /** Those that matter less go; 0..1. */
  readonly minImportance?: number | undefined
  /** So many of what is left stay, the newest. */
  readonly maxMemories?: number | undefined
  /** Keep them out of sight, rather than delete them for good. */
  readonly archiveOnly: boolean
  /** Only say what would go. */
  readonly dryRun: boolean
}

/** Each memory counts for the first rule that it breaks: age, then importance, then number. */
export interface PruneReport extends PruneCounts {
  readonly dryRun: boolean
  /** The ids of those that went, or would go; the first 1,000. */
  readonly pruned: readonly string[]
  /** How many were archived, deleted; 0 on a dry run. */
  readonly archived: number
  readonly deleted: number
}

/** So many ids a report names. */
export const MOST_NAMED = 1_000
const PAGE = 100
const DAY_MS = 86_400_000

/**
 * Archives or deletes what is old, matters little or is too much. Memories are looked at as they are at the beginning, and go in pages,
 * each in a transaction of its own, in which they are looked at again: what became more important meanwhile stays, and prunes at the same
 * time do not disturb each other. `also` is done with the last page.
 */
export async function pruneMemories(
  ctx: ServiceContext,
  scope: MemoryScope,
  input: PruneInput,
  also: AlsoStore<PruneReport> = nothingElse,
): Promise<PruneReport> {
  const { db } = ctx.services
  const rule = await ruleOf(ctx, scope, input)
  const counts = await countPrunable(db, scope, rule)
  const report = { ...counts, dryRun: input.dryRun, archived: 0, deleted: 0 }
  const pruned: string[] = []
  let after: MemoryPlace | undefined
  for (;;) {
    ctx.signal.throwIfAborted()
    const page = await selectPrunable(db, scope, rule, { after, limit: PAGE })
    const isLast = page.length < PAGE
    if (input.dryRun) {
      pruned.push(...idsOf(page))
      if (isLast || pruned.length >= MOST_NAMED) break
    } else {
      const gone = await prunePage(ctx, scope, { rule, ids: idsOf(page), archiveOnly: input.archiveOnly })
      pruned.push(...gone.slice(0, MOST_NAMED - pruned.length))
      report[input.archiveOnly ? 'archived' : 'deleted'] += gone.length
      if (isLast) break
    }
    after = page.at(-1)
  }
  const done = { ...report, pruned: pruned.slice(0, MOST_NAMED) }
  await inTransaction(db, (tx) => also(tx, done))
  return done
}

function idsOf(page: readonly MemoryPlace[]): string[] {
  return page.map(({ id }) => id)
}

async function ruleOf(ctx: ServiceContext, scope: MemoryScope, input: PruneInput): Promise<PruneRule> {
  const { maxAgeDays, minImportance, maxMemories } = input
  const rule: PruneRule = {
    madeBefore: maxAgeDays === undefined ? undefined : new Date(Date.now() - maxAgeDays * DAY_MS),
    minImportance,
  }
  if (maxMemories === undefined) return rule
  return { ...rule, upTo: await findCountBoundary(ctx.services.db, scope, rule, maxMemories) }
}

async function prunePage(
  ctx: ServiceContext,
  scope: MemoryScope,
  { rule, ids, archiveOnly }: { rule: PruneRule; ids: readonly string[]; archiveOnly: boolean },
): Promise<string[]> {
  if (ids.length === 0) return []
  let objects: readonly AttachmentRow[] = []
  const gone = await inTransaction(ctx.services.db, async (tx) => {
    const found = await lockPrunable(tx, scope, rule, ids)
    if (archiveOnly) await archiveLocked(tx, ctx, found)
    else objects = await deleteLocked(tx, ctx, found)
    const removed = new Set(found.map(({ id }) => id))
    return ids.filter((id) => removed.has(id))
  })
  await deleteObjects(ctx, objects)
  return gone
}
