import { inTransaction } from '../../db/database.ts'
import type { Context } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { reopenBatches } from '../relay/queries.ts'
import { requireResource } from './list-resources.ts'
import { setResourceStatus } from './queries.ts'

/** Relays a failed resource again; one still in progress is hurried. `conflict` if it is extracted already. */
export async function retryResource(ctx: Context, id: string): Promise<'processing'> {
  const { resource } = await requireResource(ctx, id)
  if (resource.status === 'extracted') throw new GatewayError('conflict', 'The resource is extracted already.')
  await inTransaction(ctx.services.db, async (tx) => {
    await reopenBatches(tx, ctx.caller, resource.sessionId, ['rejected', 'failed'])
    await setResourceStatus(
      tx,
      { id: resource.sessionId, userId: ctx.caller.userId },
      { status: 'processing', error: null },
    )
    await ctx.services.jobs.enqueue(tx, { name: 'relay-session', sessionId: resource.sessionId })
  })
  ctx.services.relay.drain(resource.sessionId).catch((error: unknown) => {
    ctx.log.error({ err: error, resourceId: id }, 'relay interrupted, its job will go on')
  })
  return 'processing'
}
