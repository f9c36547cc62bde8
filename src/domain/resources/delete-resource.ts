import { inTransaction } from '../../db/database.ts'
import { step } from '../../observability/steps.ts'
import { deleteObjects } from '../attachments/delete-objects.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { refuseUnknown } from '../audit/refuse-unknown.ts'
import { type AlsoStore, type Context, nothingElse } from '../context.ts'
import { type ErasedSession, eraseSession } from '../erasure/erase-session.ts'
import { requireResource } from './list-resources.ts'

/** Deletes a resource, its session and its file. Resolves with the receipt's id. */
export async function deleteResource(
  ctx: Context,
  id: string,
  also: AlsoStore<ErasedSession> = nothingElse,
): Promise<string> {
  const { resource } = await requireResource(ctx, id)
  const session = { id: resource.sessionId, kind: 'resource' as const }
  const erased = await inTransaction(ctx.services.db, async (tx) => {
    const done = await eraseSession(tx, ctx, ctx.caller, session, 'user')
    if (!done) return undefined
    await recordAudit(tx, ctx, { action: 'resource.delete', target: id, bytes: done.bytes })
    await also(tx, done)
    return done
  })
  if (!erased) throw refuseUnknown(ctx, 'resource', id)
  step('session-deleted')
  await deleteObjects(ctx, erased.objects)
  return erased.erasureId
}
