import { type Database, inTransaction } from '../../db/database.ts'
import { deleteObjects } from '../attachments/delete-objects.ts'
import { type AttachmentRow, markDeleting } from '../attachments/queries.ts'
import type { Context, Space } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { deleteBatches, findScope, findSession, markSessionDeleted, selectBatchIds } from './queries.ts'

/** Deletes a session of the caller's with its messages and files; a resource is deleted as a resource. */
export async function deleteSession(ctx: Context, space: Space, externalId: string): Promise<void> {
  const scope = await findScope(ctx.services.db, ctx.caller, space)
  const session = scope && (await findSession(ctx.services.db, ctx.caller, scope.id, externalId))
  if (!session) throw new GatewayError('not_found', 'There is no such session.')
  if (session.kind === 'resource') {
    throw new GatewayError('conflict', 'This session belongs to a resource: delete the resource instead.')
  }
  const doomed = await inTransaction(ctx.services.db, (tx) => eraseSession(tx, ctx, session.id))
  await deleteObjects(ctx, doomed)
}

/**
 * Within a transaction: hides the session at once, removes its rows, and enqueues the backend's part. Returns the attachments whose
 * objects are to be deleted after the commit.
 */
export async function eraseSession(tx: Database, ctx: Context, sessionId: string): Promise<AttachmentRow[]> {
  if (!(await markSessionDeleted(tx, ctx.caller, sessionId))) {
    throw new GatewayError('not_found', 'There is no such session.')
  }
  const batchIds = await selectBatchIds(tx, ctx.caller, sessionId)
  const doomed = await markDeleting(tx, ctx.caller, batchIds)
  await deleteBatches(tx, ctx.caller, batchIds)
  await ctx.services.jobs.enqueue(tx, { name: 'forget-session', sessionId })
  return doomed
}
