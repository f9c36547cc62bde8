import { inTransaction } from '../../db/database.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, type MemoryScope, nothingElse, type ServiceContext } from '../context.ts'
import { parseInput } from '../parse-input.ts'
import { emitMemories } from '../webhooks/memory-events.ts'
import { insertRevision, lockMemories, type MemoryRow, selectMemories, updateMemoryRow } from './queries.ts'
import { MAX_AT_ONCE, MemoryChanges } from './schemas.ts'
import { difference } from './update-memory.ts'

/** Changes of what is said of memories; their texts stay (`updateMemory`). */
export interface MemoryEdit {
  readonly number: number
  readonly changes: unknown
}

export interface EditedMemory {
  readonly number: number
  /** As it is now; undefined if it is not in sight. */
  readonly memory: MemoryRow | undefined
  /** By their public names; none if everything was so already. */
  readonly changedFields: readonly string[]
}

const EditChanges = MemoryChanges.refine(({ content }) => content === undefined, 'the text is not changed here')

/** Changes several memories, all or none; those that are not in sight are named and do not stop the rest. Each may come once. */
export async function updateMemories(
  ctx: ServiceContext,
  scope: MemoryScope,
  edits: readonly MemoryEdit[],
  also: AlsoStore<readonly EditedMemory[]> = nothingElse,
): Promise<readonly EditedMemory[]> {
  const parsed = edits.map(({ number, changes }) => ({ number, changes: parseInput(EditChanges, changes) }))
  const numbers = edits.map(({ number }) => number)
  return inTransaction(ctx.services.db, async (tx) => {
    const page = { limit: MAX_AT_ONCE, order: 'asc' } as const
    const inSight = await selectMemories(tx, scope, { numbers }, page)
    const locked = await lockMemories(
      tx,
      scope,
      inSight.map(({ id }) => id),
    )
    const byNumber = new Map(locked.filter(({ archivedAt }) => !archivedAt).map((memory) => [memory.number, memory]))
    const edited: EditedMemory[] = []
    for (const { number, changes } of parsed) {
      const before = byNumber.get(number)
      if (!before) {
        edited.push({ number, memory: undefined, changedFields: [] })
        continue
      }
      const after = await updateMemoryRow(tx, before, before.id, changes)
      const diff = difference(before, after)
      await insertRevision(tx, before, { event: 'updated', diff, actor: ctx.service.keyId })
      await recordAudit(tx, ctx, { action: 'memory.update', target: before.id })
      edited.push({ number, memory: after, changedFields: Object.keys(diff) })
    }
    await emitMemories(
      tx,
      ctx,
      'memory.updated',
      edited.flatMap(({ memory }) => memory ?? []),
    )
    await also(tx, edited)
    return edited
  })
}
