import type { Database } from '../../db/database.ts'
import { type AttachmentRow, markDeleting } from '../attachments/queries.ts'
import type { SystemContext } from '../context.ts'
import { memoriesOfUser } from '../idempotency/answer-subject.ts'
import { eraseAnswersOfProject, eraseAnswersOfSessions } from '../idempotency/queries.ts'
import { createId } from '../ids.ts'
import { deleteMemoryRows, type MemoryRow } from '../memories/queries.ts'
import { deleteBatches } from '../sessions/queries.ts'
import { forgetContents } from '../webhooks/memory-events.ts'
import { keepSettlesAtOf, lockBatchesOf, markSessionsDeleted, measureErasure } from './memory-queries.ts'
import { insertErasure } from './queries.ts'

/** So many objects are deleted before the answer; the job deletes the rest. */
const DELETED_AT_ONCE = 32

/**
 * Within a transaction that has locked them: removes memories with their sessions, and enqueues what is left to do, one erasure for all
 * of one user. Resolves with attachments whose objects the caller deletes after the commit.
 */
export async function eraseMemories(
  tx: Database,
  ctx: SystemContext,
  memories: readonly MemoryRow[],
): Promise<readonly AttachmentRow[]> {
  const objects: AttachmentRow[] = []
  for (const [userId, owned] of Map.groupBy(memories, (memory) => memory.userId)) {
    const [first] = owned
    if (!first) continue
    const owner = { accountId: first.accountId, userId }
    objects.push(...(await eraseSessions(tx, ctx, owner, owned)))
    await deleteMemoryRows(
      tx,
      owner,
      owned.map(({ id }) => id),
    )
  }
  await forgetContents(tx, memories)
  return objects.slice(0, DELETED_AT_ONCE)
}

/** The sessions of memories that go, or whose text changes: each has one message, and two batches. */
export async function eraseSessions(
  tx: Database,
  ctx: SystemContext,
  owner: { accountId: string; userId: string },
  memories: readonly Pick<MemoryRow, 'sessionId' | 'accountId' | 'projectId'>[],
): Promise<AttachmentRow[]> {
  const erasureId = createId('era')
  const ids = memories.map(({ sessionId }) => sessionId)
  await markSessionsDeleted(tx, owner, ids, erasureId)
  await eraseAnswersOfSessions(tx, owner, [...ids, memoriesOfUser(owner.userId).sessionId])
  for (const place of placesOf(memories)) await eraseAnswersOfProject(tx, place)
  const extent = await measureErasure(tx, erasureId)
  const batchIds = await lockBatchesOf(tx, owner, ids)
  await keepSettlesAtOf(tx, batchIds)
  const objects = await markDeleting(tx, owner, batchIds, erasureId)
  await deleteBatches(tx, owner, batchIds)
  await insertErasure(tx, owner, { id: erasureId, kind: 'memory', requestedBy: 'user', ...extent })
  await ctx.services.jobs.enqueue(tx, { name: 'erase', erasureId })
  return objects
}

/** Their projects, each once: of an application's user there is one. */
function placesOf(memories: readonly Pick<MemoryRow, 'accountId' | 'projectId'>[]) {
  return [...new Map(memories.map((memory) => [`${memory.accountId}/${memory.projectId}`, memory])).values()]
}
