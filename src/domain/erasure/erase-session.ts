import type { Database } from '../../db/database.ts'
import { type AttachmentRow, markSessionDeleting } from '../attachments/queries.ts'
import type { Caller, Owner, SystemContext } from '../context.ts'
import { eraseAnswersOfSession } from '../idempotency/queries.ts'
import { createId } from '../ids.ts'
import { deleteResourceOfSession } from '../resources/queries.ts'
import { deleteBatchesOfSession, type SessionRow } from '../sessions/queries.ts'
import { countMessages, insertErasure, keepSettlesAt, markSessionDeleted, type NewErasure } from './queries.ts'

/** So many objects are deleted before the answer; the job deletes the rest. */
const DELETED_AT_ONCE = 32

export interface ErasedSession {
  readonly erasureId: string
  /** Attachments whose objects the caller deletes after the commit, so that most are gone before the answer. */
  readonly objects: readonly AttachmentRow[]
  /** Of all its objects. */
  readonly bytes: number
}

/**
 * Within a transaction: hides the session at once, removes its rows, and enqueues the rest. Undefined if it is gone
 * already.
 */
export async function eraseSession(
  tx: Database,
  ctx: SystemContext,
  owner: Pick<Caller, 'accountId' | 'userId'>,
  session: Pick<SessionRow, 'id' | 'kind'>,
  requestedBy: NewErasure['requestedBy'],
): Promise<ErasedSession | undefined> {
  const erasureId = createId('era')
  if (!(await markSessionDeleted(tx, owner, session.id, erasureId))) return undefined
  const messages = await countMessages(tx, owner, session.id)
  const removed = await emptySession(tx, owner, session.id, erasureId)
  const bytes = removed.reduce((sum, { size }) => sum + size, 0)
  const kind = session.kind === 'resource' ? 'resource' : 'session'
  await insertErasure(tx, owner, {
    id: erasureId,
    kind,
    requestedBy,
    sessions: 1,
    messages,
    objects: removed.length,
    bytes,
  })
  await ctx.services.jobs.enqueue(tx, { name: 'erase', erasureId })
  return { erasureId, objects: removed.slice(0, DELETED_AT_ONCE), bytes }
}

/** Removes the rows of a session that is marked deleted; its objects are left to the erasure. */
export async function emptySession(
  tx: Database,
  owner: Owner,
  sessionId: string,
  erasureId: string,
): Promise<AttachmentRow[]> {
  await keepSettlesAt(tx, sessionId)
  await deleteResourceOfSession(tx, owner, sessionId)
  const removed = await markSessionDeleting(tx, owner, sessionId, erasureId)
  await deleteBatchesOfSession(tx, owner, sessionId)
  await eraseAnswersOfSession(tx, owner, sessionId)
  return removed
}
