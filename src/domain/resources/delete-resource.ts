import { inTransaction } from '../../db/database.ts'
import { deleteObjects } from '../attachments/delete-objects.ts'
import type { Context } from '../context.ts'
import { eraseSession } from '../sessions/delete-session.ts'
import { requireResource } from './list-resources.ts'
import { deleteResourceOfSession } from './queries.ts'

/** Deletes a resource, its session and its file. */
export async function deleteResource(ctx: Context, id: string): Promise<void> {
  const { resource } = await requireResource(ctx, id)
  const doomed = await inTransaction(ctx.services.db, async (tx) => {
    await deleteResourceOfSession(tx, ctx.caller, resource.sessionId)
    return eraseSession(tx, ctx, resource.sessionId)
  })
  await deleteObjects(ctx, doomed)
}
