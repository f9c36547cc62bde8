import type { Database } from '../../db/database.ts'
import { type AttachmentRow, markDeleting } from '../attachments/queries.ts'
import type { Caller, Owner, SystemContext } from '../context.ts'
import { eraseAnswersOfSession } from '../idempotency/queries.ts'
import { createId } from '../ids.ts'
import { deleteResourceOfSession } from '../resources/queries.ts'
import { deleteBatches, type SessionRow } from '../sessions/queries.ts'
import { measureSession } from './measure-queries.ts'
import { insertErasure, keepSettlesAt, lockSomeBatches, markSessionDeleted, type NewErasure } from './queries.ts'

/** So many batches go in one transaction: each may have hundreds of messages, and a statement has its time limit. */
const BATCHES_AT_ONCE = 100
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
 * Within a transaction: hides the session at once, removes its first rows, and enqueues the rest. Undefined if it is gone
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
  const extent = await measureSession(tx, owner, session.id)
  await eraseAnswersOfSession(tx, owner, session.id)
  const removed = await emptySession(tx, owner, session.id, erasureId)
  const kind = session.kind === 'resource' ? 'resource' : 'session'
  await insertErasure(tx, owner, { id: erasureId, kind, requestedBy, ...extent })
  await ctx.services.jobs.enqueue(tx, { name: 'erase', erasureId })
  return { erasureId, objects: removed.slice(0, DELETED_AT_ONCE), bytes: extent.bytes }
}

/** Removes some batches of a session that is marked deleted; their objects are left to the erasure. */
export async function emptySession(
  tx: Database,
  owner: Owner,
  sessionId: string,
  erasureId: string,
): Promise<AttachmentRow[]> {
  const batchIds = await lockSomeBatches(tx, owner, sessionId, BATCHES_AT_ONCE)
  await keepSettlesAt(tx, sessionId, batchIds)
  await deleteResourceOfSession(tx, owner, sessionId)
  const removed = await markDeleting(tx, owner, batchIds, erasureId)
  await deleteBatches(tx, owner, batchIds)
  return removed
}
