import { inTransaction } from '../../db/database.ts'
import type { Context } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { createId } from '../ids.ts'
import { insertBatch, isAnyOpen } from '../relay/queries.ts'
import { reopenBatches } from '../relay/reopen-batches.ts'
import { lockExistingSession, setLastUpstreamTimestamp } from '../sessions/queries.ts'
import { requireResource } from './list-resources.ts'
import { setResourceStatus } from './queries.ts'

/** Relays a failed resource again; one still in progress is hurried. `conflict` if it is extracted already. */
export async function retryResource(ctx: Context, id: string): Promise<'processing'> {
  const { db, jobs, relay } = ctx.services
  const sessionId = await inTransaction(db, async (tx) => {
    const { resource } = await requireResource(ctx, id, tx)
    const session = await lockExistingSession(tx, ctx.caller, resource.sessionId)
    // Once the session is locked, no relay changes the resource.
    const { resource: now } = await requireResource(ctx, id, tx)
    if (!session || now.status === 'extracted') throw new GatewayError('conflict', 'The resource is extracted already.')
    const { count } = await reopenBatches(tx, ctx.caller, session, ['rejected', 'failed'])
    if (count === 0 && !(await isAnyOpen(tx, session.id))) {
      // The backend took everything and found nothing: let it look again.
      const position = session.lastUpstreamTimestamp + 1
      await insertBatch(tx, ctx.caller, {
        id: createId('bat'),
        action: 'flush',
        state: 'stored',
        sessionId: session.id,
        position,
      })
      await setLastUpstreamTimestamp(tx, ctx.caller, session.id, position)
    }
    await setResourceStatus(tx, { id: session.id, userId: ctx.caller.userId }, { status: 'processing', error: null })
    await jobs.enqueue(tx, { name: 'relay-session', sessionId: session.id })
    return session.id
  })
  relay.drain(sessionId).catch((error: unknown) => {
    ctx.log.error({ err: error, resourceId: id }, 'relay interrupted, its job will go on')
  })
  return 'processing'
}
