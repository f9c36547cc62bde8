import { type Database, inTransaction } from '../../db/database.ts'
import { step } from '../../observability/steps.ts'
import { deleteObjects } from '../attachments/delete-objects.ts'
import { type AttachmentRow, markSessionDeleting } from '../attachments/queries.ts'
import type { Context, Owner, Space, SystemContext } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { deleteResourceOfSession } from '../resources/queries.ts'
import { deleteBatchesOfSession, findScope, findSession, lastSettlesAt, markSessionDeleted } from './queries.ts'

/** So many objects are deleted before the answer; the sweeper deletes the rest. */
export const DELETED_AT_ONCE = 32

/** Deletes a session of the caller's with its messages and files; a resource is deleted as a resource. */
export async function deleteSession(ctx: Context, space: Space, externalId: string): Promise<void> {
  const scope = await findScope(ctx.services.db, ctx.caller, space)
  const session = scope && (await findSession(ctx.services.db, ctx.caller, scope.id, externalId))
  if (!session) throw new GatewayError('not_found', 'There is no such session.')
  if (session.kind === 'resource') {
    throw new GatewayError('conflict', 'This session belongs to a resource: delete the resource instead.')
  }
  const removed = await inTransaction(ctx.services.db, (tx) => eraseSession(tx, ctx, ctx.caller, session.id))
  if (!removed) throw new GatewayError('not_found', 'There is no such session.')
  step('session-deleted')
  await deleteObjects(ctx, removed.slice(0, DELETED_AT_ONCE))
}

/**
 * Within a transaction: hides the session at once, removes its rows, and enqueues the backend's part. Returns the attachments whose objects are to be deleted after the commit. False if it is gone already.
 */
export async function eraseSession(
  tx: Database,
  ctx: SystemContext,
  owner: Owner,
  sessionId: string,
): Promise<AttachmentRow[] | false> {
  if (!(await markSessionDeleted(tx, owner, sessionId))) return false
  const settlesAt = await lastSettlesAt(tx, owner, sessionId)
  await deleteResourceOfSession(tx, owner, sessionId)
  const removed = await markSessionDeleting(tx, owner, sessionId)
  await deleteBatchesOfSession(tx, owner, sessionId)
  await ctx.services.jobs.enqueue(tx, {
    name: 'forget-session',
    sessionId,
    ...(settlesAt && { settlesAt: settlesAt.toISOString() }),
  })
  return removed
}
