import { inTransaction } from '../../db/database.ts'
import { step } from '../../observability/steps.ts'
import { deleteObjects } from '../attachments/delete-objects.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, type Context, nothingElse, type Space } from '../context.ts'
import { type ErasedSession, eraseSession } from '../erasure/erase-session.ts'
import { GatewayError } from '../errors.ts'
import { findScope, findSession } from './queries.ts'

/** Deletes a session of the caller's with its messages and files; a resource is deleted as a resource, a thread as a thread. Resolves with the receipt's id. */
export async function deleteSession(
  ctx: Context,
  space: Space,
  externalId: string,
  also: AlsoStore<ErasedSession> = nothingElse,
): Promise<string> {
  const { db } = ctx.services
  const scope = await findScope(db, ctx.caller, space)
  const session = scope && (await findSession(db, ctx.caller, scope.id, externalId))
  if (!session) throw new GatewayError('not_found', 'There is no such session.')
  if (session.kind !== 'chat') {
    const instead = session.kind === 'thread' ? ', with DELETE /v1/memory/threads/{id}' : ''
    throw new GatewayError(
      'conflict',
      `This session belongs to a ${session.kind}: delete the ${session.kind} instead${instead}.`,
    )
  }
  const erased = await inTransaction(db, async (tx) => {
    const done = await eraseSession(tx, ctx, ctx.caller, session, 'user')
    if (!done) throw new GatewayError('not_found', 'There is no such session.')
    await recordAudit(tx, ctx, { action: 'session.delete', target: session.id, bytes: done.bytes })
    await also(tx, done)
    return done
  })
  step('session-deleted')
  await deleteObjects(ctx, erased.objects)
  return erased.erasureId
}
