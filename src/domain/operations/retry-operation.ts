import { inTransaction } from '../../db/database.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { refuseUnknown } from '../audit/refuse-unknown.ts'
import { type AlsoStore, type Context, nothingElse, type SystemContext } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { lockExistingSession } from '../sessions/queries.ts'
import { findBatch } from './queries.ts'
import { requeueSession } from './requeue-session.ts'

/**
 * Has an operation tried again, with all that failed in its session, in their order; one that waits is hurried. A caller may
 * name only their own; without a caller it is the operator, who may name any. `conflict` if the backend has taken it already.
 */
export async function retryOperation(
  ctx: SystemContext | Context,
  id: string,
  also: AlsoStore<string> = nothingElse,
): Promise<void> {
  const { db, relay } = ctx.services
  const owner = 'caller' in ctx ? ctx.caller : undefined
  const found = await findBatch(db, owner, id)
  if (!found?.sessionId) throw 'caller' in ctx ? refuseUnknown(ctx, 'operation', id) : unknownOperation()
  const { sessionId } = found
  await inTransaction(db, async (tx) => {
    const session = await lockExistingSession(tx, found, sessionId)
    const now = session && (await findBatch(tx, found, id))
    if (!session || !now) throw unknownOperation()
    if (now.state === 'relayed') throw new GatewayError('conflict', 'The backend has taken it already.')
    await requeueSession(tx, ctx, session)
    await recordAudit(tx, ctx, { action: 'operation.retry', target: id })
    await also(tx, id)
  })
  relay.drain(sessionId).catch((error: unknown) => {
    ctx.log.error({ err: error, batchId: id }, 'relay interrupted, its job will go on')
  })
}

function unknownOperation(): GatewayError {
  return new GatewayError('not_found', 'There is no such operation.')
}
