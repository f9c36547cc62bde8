import { inTransaction } from '../../db/database.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, type Context, nothingElse } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { createId } from '../ids.ts'
import { requeueSession } from '../operations/requeue-session.ts'
import { insertBatch, isAnyOpen } from '../relay/queries.ts'
import { lockExistingSession, setLastUpstreamTimestamp } from '../sessions/queries.ts'
import { requireResource } from './list-resources.ts'
import { findResource } from './queries.ts'

/** Relays a failed resource again; one still in progress is hurried. `conflict` if it is extracted already. */
export async function retryResource(
  ctx: Context,
  id: string,
  also: AlsoStore<'processing'> = nothingElse,
): Promise<'processing'> {
  const { resource } = await requireResource(ctx, id)
  await inTransaction(ctx.services.db, async (tx) => {
    const session = await lockExistingSession(tx, ctx.caller, resource.sessionId)
    // Once the session is locked, no relay changes the resource.
    const now = await findResource(tx, ctx.caller, id)
    if (!session || !now) throw new GatewayError('not_found', 'There is no such resource.')
    if (now.resource.status === 'extracted') throw new GatewayError('conflict', 'The resource is extracted already.')
    const { count, lastUpstreamTimestamp } = await requeueSession(tx, ctx, session)
    if (count === 0 && !(await isAnyOpen(tx, session.id))) {
      // The backend took everything and found nothing: let it look again.
      const position = lastUpstreamTimestamp + 1
      const flush = { id: createId('bat'), action: 'flush' as const, state: 'stored' as const }
      await insertBatch(tx, ctx.caller, { ...flush, sessionId: session.id, position })
      await setLastUpstreamTimestamp(tx, ctx.caller, session.id, position)
    }
    await recordAudit(tx, ctx, { action: 'operation.retry', target: id })
    await also(tx, 'processing')
  })
  ctx.services.relay.drain(resource.sessionId).catch((error: unknown) => {
    ctx.log.error({ err: error, resourceId: id }, 'relay interrupted, its job will go on')
  })
  return 'processing'
}
