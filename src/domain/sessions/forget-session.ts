import { randomUUID } from 'node:crypto'
import { inTransaction } from '../../db/database.ts'
import { step } from '../../observability/steps.ts'
import type { SystemContext } from '../context.ts'
import { claimSession, releaseSession } from '../relay/queries.ts'
import { markForgotten, selectUnforgotten } from './queries.ts'

const LEASE_MS = 60_000
const PAGE = 100
/** Longer than the job of a deletion waits between two attempts. */
const STALLED_MS = 3_600_000

/**
 * The backend's part of a deletion. False if it has to be done again: the session is being relayed, or an add whose answer
 * was lost may be at work until `settlesAt` (Unix ms), and what arrives with that must be forgotten too. Rejects with a
 * `BackendError` if the backend fails.
 */
export async function forgetSession(ctx: SystemContext, sessionId: string, settlesAt: number): Promise<boolean> {
  const { db, backend } = ctx.services
  const token = randomUUID()
  const session = await claimSession(db, sessionId, token, LEASE_MS)
  if (session === 'gone') return true
  if (session === 'held') return false
  try {
    const { upstreamProjectId: projectId, upstreamSenderId: senderId, upstreamSessionId } = session
    const done = await backend.forget({ projectId, senderId, sessionId: upstreamSessionId }, ctx.signal)
    step('session-forgotten')
    if (!(await markForgotten(db, sessionId, settlesAt))) return false
    ctx.log.info({ sessionId, backend: backend.name, done }, 'deleted session forgotten')
    return true
  } finally {
    await releaseSession(db, sessionId, token)
  }
}

/** Enqueues deletions that the backend was away for longer than their jobs lived. */
export async function resumeForgetting(ctx: SystemContext): Promise<void> {
  for (const sessionId of await selectUnforgotten(ctx.services.db, STALLED_MS, PAGE)) {
    await inTransaction(ctx.services.db, (tx) => ctx.services.jobs.enqueue(tx, { name: 'forget-session', sessionId }))
  }
}
