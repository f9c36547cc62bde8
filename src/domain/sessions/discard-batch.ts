import { inTransaction } from '../../db/database.ts'
import { deleteObjects } from '../attachments/delete-objects.ts'
import { type AttachmentRow, markDeleting } from '../attachments/queries.ts'
import type { Owner, SystemContext } from '../context.ts'
import { lockBatch } from '../relay/queries.ts'
import { deleteResourceOfSession } from '../resources/queries.ts'
import { deleteBatches, deleteEmptySession } from './queries.ts'

/** Takes back an upload that was not stored to its end. What cannot be taken back now, the sweeper takes later. */
export async function discardReceiving(ctx: SystemContext, owner: Owner, batchId: string): Promise<void> {
  try {
    const doomed = await inTransaction(ctx.services.db, async (tx) => {
      if (!(await lockBatch(tx, owner, batchId, 'receiving'))) return []
      const cut = await markDeleting(tx, owner, [batchId])
      await deleteBatches(tx, owner, [batchId])
      return cut
    })
    await deleteObjects(ctx, doomed)
  } catch (error) {
    ctx.log.warn({ err: error, batchId }, 'upload not taken back, the sweeper will')
  }
}

/** Removes what was stored of a batch that the backend refused while its caller waited: they are told so instead. */
export async function discardRejected(ctx: SystemContext, owner: Owner, batchIds: readonly string[]): Promise<void> {
  const doomed = await inTransaction(ctx.services.db, async (tx): Promise<AttachmentRow[]> => {
    const sessionIds = new Set<string>()
    for (const batchId of batchIds) {
      const batch = (await lockBatch(tx, owner, batchId, 'rejected')) ?? (await lockBatch(tx, owner, batchId, 'failed'))
      if (batch?.sessionId) sessionIds.add(batch.sessionId)
    }
    for (const sessionId of sessionIds) await deleteResourceOfSession(tx, owner, sessionId)
    const cut = await markDeleting(tx, owner, batchIds)
    await deleteBatches(tx, owner, batchIds)
    for (const sessionId of sessionIds) await deleteEmptySession(tx, owner, sessionId)
    return cut
  })
  await deleteObjects(ctx, doomed)
}
