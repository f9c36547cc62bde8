import { inTransaction } from '../../db/database.ts'
import { step } from '../../observability/steps.ts'
import { deleteObjects } from '../attachments/delete-objects.ts'
import type { Context } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { eraseSession } from '../sessions/delete-session.ts'
import { requireResource } from './list-resources.ts'

/** Deletes a resource, its session and its file. */
export async function deleteResource(ctx: Context, id: string): Promise<void> {
  const { resource } = await requireResource(ctx, id)
  const removed = await inTransaction(ctx.services.db, (tx) => eraseSession(tx, ctx, ctx.caller, resource.sessionId))
  if (!removed) throw new GatewayError('not_found', 'There is no such resource.')
  step('session-deleted')
  await deleteObjects(ctx, removed)
}
