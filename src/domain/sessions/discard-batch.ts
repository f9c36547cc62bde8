import { inTransaction } from '../../db/database.ts'
import { step } from '../../observability/steps.ts'
import { deleteObjects } from '../attachments/delete-objects.ts'
import { markDeleting } from '../attachments/queries.ts'
import type { Caller, Owner, SystemContext } from '../context.ts'
import { eraseSession } from '../erasure/erase-session.ts'
import { forgetKeysOfBatches } from '../idempotency/queries.ts'
import { type BatchRow, lockBatch } from '../relay/queries.ts'
import { deleteResourceOfSession } from '../resources/queries.ts'
import { deleteBatches, deleteEmptySession, lockSessionRow, type SessionRow } from './queries.ts'

/** Takes back an upload that was not stored to its end. What cannot be taken back now, the sweeper takes later. */
export async function discardReceiving(ctx: SystemContext, owner: Owner, batchId: string): Promise<void> {
  try {
    await inTransaction(ctx.services.db, async (tx) => {
      if (!(await lockBatch(tx, owner, batchId, ['receiving']))) return
      // The sweeper deletes the objects: a put whose answer was lost may yet arrive in the store.
      await markDeleting(tx, owner, [batchId])
      await deleteBatches(tx, owner, [batchId])
    })
    step('upload-discarded')
  } catch (error) {
    ctx.log.warn({ err: error, batchId }, 'upload not taken back, the sweeper will')
  }
}

/**
 * Removes what was stored of an add or flush that the backend refused while its caller waited: they are told so instead. A
 * resource of which the backend may hold a part is deleted like any other.
 */
export async function discardRejected(
  ctx: SystemContext,
  owner: Pick<Caller, 'accountId' | 'userId'>,
  session: Pick<SessionRow, 'id' | 'kind'>,
  batchIds: readonly string[],
): Promise<void> {
  const removed = await inTransaction(ctx.services.db, async (tx) => {
    await lockSessionRow(tx, session.id)
    const refused: BatchRow[] = []
    for (const batchId of batchIds) {
      const batch = await lockBatch(tx, owner, batchId, ['rejected', 'failed'])
      if (batch) refused.push(batch)
    }
    const isUntouched = refused.length === batchIds.length && refused.every(isKeptNowhere)
    const ids = refused.map(({ id }) => id)
    const isResource = session.kind === 'resource'
    await forgetKeysOfBatches(tx, owner, isResource ? batchIds : ids)
    if (isResource && !isUntouched) {
      return (await eraseSession(tx, ctx, owner, session, 'gateway'))?.objects ?? []
    }
    await deleteResourceOfSession(tx, owner, session.id)
    const attachments = await markDeleting(tx, owner, ids)
    await deleteBatches(tx, owner, ids)
    await deleteEmptySession(tx, owner, session.id)
    return attachments
  })
  await deleteObjects(ctx, removed)
}

/** Whether the backend can hold nothing of the batch. */
function isKeptNowhere(batch: BatchRow): boolean {
  return batch.state === 'rejected' || batch.attempts === 0
}
