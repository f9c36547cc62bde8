import { inTransaction } from '../../db/database.ts'
import type { LeftUpstream } from '../../db/schema/erasures.ts'
import { step } from '../../observability/steps.ts'
import { deleteObjects } from '../attachments/delete-objects.ts'
import type { SystemContext } from '../context.ts'
import { discardReceiving } from '../sessions/discard-batch.ts'
import { lockSessionRow } from '../sessions/queries.ts'
import { deleteSomeOfUser } from '../webhooks/log-queries.ts'
import { emptySession } from './erase-session.ts'
import { deleteSomeMemories, deleteSomeRecords } from './memory-queries.ts'
import {
  deleteSomeSessions,
  deleteUser,
  type ErasureRow,
  findErasure,
  finishErasure,
  isUnsettled,
  isUserInUse,
  markSomeSessionsDeleted,
  releaseErasedSessions,
  selectErasedObjects,
  selectErasedSessions,
  selectReceiving,
  selectScopes,
  selectStalledErasures,
  selectUnemptied,
  touchErasure,
} from './queries.ts'

const PAGE = 100
/** Longer than the job of an erasure waits between two attempts. */
const STALLED_MS = 3_600_000
/** Longer than an upload takes to put its files. */
const ABANDONED_MS = 3_600_000

/**
 * Does what is left of an erasure: rows, objects, the backend's part; then the receipt says so. False if it has to come back: the
 * object store or the backend is away, a session is being relayed, or an add whose answer was lost may yet arrive in the
 * backend, and must be forgotten too.
 */
export async function continueErasure(ctx: SystemContext, erasureId: string): Promise<boolean> {
  const { db } = ctx.services
  const erasure = await findErasure(db, erasureId)
  if (!erasure || erasure.finishedAt) return true
  await touchErasure(db, erasureId)
  if (erasure.kind === 'user' && !(await takeAll(ctx, erasure))) return false
  if (!(await emptySessions(ctx, erasure))) return false
  const objectsAreGone = await deleteErasedObjects(ctx, erasureId)
  // What is asked before the backend forgets is true of all that it forgets.
  const wasSettled = !(await isUnsettled(db, erasureId))
  const left = erasure.kind === 'user' ? await forgetUser(ctx, erasure) : await forgetSessions(ctx, erasureId)
  step('session-forgotten')
  if (!objectsAreGone || !wasSettled) return false
  if (erasure.kind === 'user') {
    if (await isUserInUse(db, erasure)) return false
    if (!(await repeat(ctx, () => deleteSomeSessions(db, erasure, PAGE)))) return false
    // What was told of them while they were being erased.
    if (!(await repeat(ctx, () => deleteSomeOfUser(db, erasure, PAGE)))) return false
  }
  await inTransaction(db, async (tx) => {
    if (!(await finishErasure(tx, erasureId, left))) return
    if (erasure.kind === 'user') await deleteUser(tx, erasure)
    else await releaseErasedSessions(tx, erasureId)
  })
  ctx.log.info({ erasureId, kind: erasure.kind, leftUpstream: left.length }, 'erasure finished')
  return true
}

/** Enqueues erasures whose job has given up. */
export async function resumeErasures(ctx: SystemContext): Promise<void> {
  const { db, jobs } = ctx.services
  for (const erasureId of await selectStalledErasures(db, STALLED_MS, PAGE)) {
    await inTransaction(db, (tx) => jobs.enqueue(tx, { name: 'erase', erasureId }))
  }
}

/** Takes all that is the user's into the erasure. False if it was stopped. */
async function takeAll(ctx: SystemContext, erasure: ErasureRow): Promise<boolean> {
  const { db } = ctx.services
  // One that is under way still puts objects: it is refused at its end, and takes itself back.
  for (const batchId of await selectReceiving(db, erasure, ABANDONED_MS)) await discardReceiving(ctx, erasure, batchId)
  if (!(await repeat(ctx, () => deleteSomeMemories(db, erasure, PAGE)))) return false
  if (!(await repeat(ctx, () => deleteSomeOfUser(db, erasure, PAGE)))) return false
  if (!(await repeat(ctx, () => deleteSomeRecords(db, erasure, PAGE)))) return false
  return repeat(ctx, () => markSomeSessionsDeleted(db, erasure, erasure.id, PAGE))
}

/** False if it was stopped. */
async function emptySessions(ctx: SystemContext, erasure: ErasureRow): Promise<boolean> {
  const { db } = ctx.services
  return repeat(ctx, async () => {
    const page = await selectUnemptied(db, erasure, PAGE)
    for (const sessionId of page) {
      await inTransaction(db, async (tx) => {
        await lockSessionRow(tx, sessionId)
        await emptySession(tx, erasure, sessionId, erasure.id)
      })
    }
    return page.length
  })
}

/** Does it until there is nothing left to do; false if the process stops before. */
async function repeat(ctx: SystemContext, doSome: () => Promise<number>): Promise<boolean> {
  while (!ctx.signal.aborted) {
    if ((await doSome()) === 0) return true
  }
  return false
}

/** False if there are some left. */
async function deleteErasedObjects(ctx: SystemContext, erasureId: string): Promise<boolean> {
  for (;;) {
    const page = await selectErasedObjects(ctx.services.db, erasureId, PAGE)
    if (page.length === 0) return true
    if (ctx.signal.aborted || (await deleteObjects(ctx, page)) < page.length) return false
  }
}

async function forgetSessions(ctx: SystemContext, erasureId: string): Promise<LeftUpstream[]> {
  const { db, backend } = ctx.services
  const left: LeftUpstream[] = []
  for (const { projectId, senderId, upstreamSessionId: sessionId } of await selectErasedSessions(db, erasureId)) {
    const outcome = await backend.forget({ projectId, senderId, sessionId }, ctx.signal)
    if (outcome === 'unsupported') left.push({ project_id: projectId, session_id: sessionId })
  }
  return left
}

async function forgetUser(ctx: SystemContext, erasure: ErasureRow): Promise<LeftUpstream[]> {
  const { db, backend } = ctx.services
  const left: LeftUpstream[] = []
  for (const partition of await selectScopes(db, erasure)) {
    if ((await backend.forget(partition, ctx.signal)) === 'unsupported') left.push({ project_id: partition.projectId })
  }
  // A backend that deletes by owner may keep a session in which only others spoke.
  if (left.length === 0) await forgetSessions(ctx, erasure.id)
  return left
}
