import { type Database, inTransaction } from '../../db/database.ts'
import { deleteObjects } from '../attachments/delete-objects.ts'
import type { AttachmentRow } from '../attachments/queries.ts'
import { recordAudits } from '../audit/record-audit.ts'
import { noteIfForeignMemory } from '../audit/refuse-unknown.ts'
import { type AlsoStore, type MemoryScope, nothingElse, type ServiceContext } from '../context.ts'
import { eraseMemories } from '../erasure/erase-memories.ts'
import { emitDeleted } from '../webhooks/memory-events.ts'
import { insertRevisions, lockMemories, type MemoryRow } from './queries.ts'
import { requireFew } from './schemas.ts'
import { archiveRows } from './upkeep-queries.ts'

/**
 * Deletes memories for good, with their files, and what the backend has of them. Resolves with those that were there; the others are
 * nobody's, or not in the scope. `invalid_request` for more than 1,000.
 */
export async function deleteMemories(
  ctx: ServiceContext,
  scope: MemoryScope,
  ids: readonly string[],
  also: AlsoStore<readonly MemoryRow[]> = nothingElse,
): Promise<readonly MemoryRow[]> {
  requireFew(ids)
  const { deleted, objects } = await inTransaction(ctx.services.db, async (tx) => {
    const found = await lockMemories(tx, scope, ids)
    const removed = await deleteLocked(tx, ctx, found)
    await also(tx, found)
    return { deleted: found, objects: removed }
  })
  await deleteObjects(ctx, objects)
  noteMissing(ctx, scope, ids, deleted)
  return deleted
}

/** Takes memories out of sight and keeps them. Resolves with those that were in sight until now. `invalid_request` for more than 1,000. */
export async function archiveMemories(
  ctx: ServiceContext,
  scope: MemoryScope,
  ids: readonly string[],
  also: AlsoStore<readonly MemoryRow[]> = nothingElse,
): Promise<readonly MemoryRow[]> {
  requireFew(ids)
  const { found, archived } = await inTransaction(ctx.services.db, async (tx) => {
    const locked = await lockMemories(tx, scope, ids)
    const gone = await archiveLocked(tx, ctx, locked)
    await also(tx, gone)
    return { found: locked, archived: gone }
  })
  noteMissing(ctx, scope, ids, found)
  return archived
}

/** So many of the ids of one call that are not the caller's are looked up for the audit log. */
const MOST_NOTED = 20

function noteMissing(
  ctx: ServiceContext,
  scope: MemoryScope,
  asked: readonly string[],
  found: readonly { readonly id: string }[],
): void {
  const known = new Set(found.map(({ id }) => id))
  for (const id of asked.filter((one) => !known.has(one)).slice(0, MOST_NOTED)) noteIfForeignMemory(ctx, scope, id)
}

/** Within a transaction that has locked them. Resolves with files whose objects the caller deletes after the commit. */
export async function deleteLocked(
  tx: Database,
  ctx: ServiceContext,
  memories: readonly MemoryRow[],
): Promise<readonly AttachmentRow[]> {
  await emitDeleted(tx, ctx, memories, 'deleted')
  const objects = await eraseMemories(tx, ctx, memories)
  const ids = memories.map(({ id }) => id)
  await recordAudits(tx, ctx, 'memory.delete', ids)
  return objects
}

/**
 * Within a transaction that has locked them. `supersededBy`: the memory that says what they say. Resolves with those that were in sight
 * until now, as they are now.
 */
export async function archiveLocked(
  tx: Database,
  ctx: ServiceContext,
  memories: readonly MemoryRow[],
  supersededBy?: string,
): Promise<readonly MemoryRow[]> {
  const inSight = memories.filter(({ archivedAt }) => archivedAt === null)
  const archived = await archiveRows(tx, inSight, supersededBy)
  const revisions = archived.map((memory) => ({
    memory,
    event: supersededBy === undefined ? ('archived' as const) : ('superseded' as const),
    diff: {
      archived_at: { old: null, new: memory.archivedAt },
      ...(supersededBy !== undefined && { superseded_by: { old: null, new: supersededBy } }),
    },
    actor: ctx.service.keyId,
  }))
  await insertRevisions(tx, revisions)
  const ids = archived.map(({ id }) => id)
  await recordAudits(tx, ctx, 'memory.archive', ids)
  await emitDeleted(tx, ctx, archived, 'archived')
  return archived
}
