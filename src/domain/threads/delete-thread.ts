import { inTransaction } from '../../db/database.ts'
import { step } from '../../observability/steps.ts'
import { deleteObjects } from '../attachments/delete-objects.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, nothingElse } from '../context.ts'
import { type ErasedSession, eraseSession } from '../erasure/erase-session.ts'
import { eraseAnswersOfSession } from '../idempotency/queries.ts'
import { unknownThread } from './open-thread.ts'
import { deleteThreadRow, lockThread } from './queries.ts'
import type { RealmContext, ThreadRow } from './thread-context.ts'
import { answersOfThread } from './thread-context.ts'

/**
 * Deletes a thread with its messages, files and observations, and has the backend forget it; its id is free at once. An exchange that is
 * under way is not kept. Resolves with the receipt's id, undefined if the thread had no message yet. `not_found` if it is gone.
 */
export async function deleteThread(
  ctx: RealmContext,
  thread: ThreadRow,
  also: AlsoStore<ErasedSession | undefined> = nothingElse,
): Promise<string | undefined> {
  const erased = await inTransaction(ctx.services.db, async (tx) => {
    const found = await lockThread(tx, thread, thread.id)
    if (!found) throw unknownThread()
    await deleteThreadRow(tx, found, found.id)
    await eraseAnswersOfSession(tx, found, answersOfThread(found).sessionId)
    const owner = { accountId: ctx.service.accountId, userId: found.userId }
    const session = found.sessionId !== null && { id: found.sessionId, kind: 'thread' as const }
    const done = session ? await eraseSession(tx, ctx, owner, session, 'user') : undefined
    await recordAudit(tx, ctx, { action: 'thread.delete', target: found.id, ...(done && { bytes: done.bytes }) })
    await also(tx, done)
    return done
  })
  step('session-deleted')
  if (erased) await deleteObjects(ctx, erased.objects)
  return erased?.erasureId
}
