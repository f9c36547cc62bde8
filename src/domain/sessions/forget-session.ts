import { randomUUID } from 'node:crypto'
import type { SystemContext } from '../context.ts'
import { claimSession, releaseSession } from '../relay/queries.ts'

const LEASE_MS = 60_000

/**
 * The backend's part of a deletion. False if it has to be done later: the session is being relayed, and what arrives with
 * that must be forgotten too. Rejects with a `BackendError` if the backend fails.
 */
export async function forgetSession(ctx: SystemContext, sessionId: string): Promise<boolean> {
  const { db, backend } = ctx.services
  const token = randomUUID()
  const session = await claimSession(db, sessionId, token, LEASE_MS)
  if (!session) return false
  try {
    const done = await backend.forget(
      {
        projectId: session.upstreamProjectId,
        senderId: session.upstreamSenderId,
        sessionId: session.upstreamSessionId,
      },
      ctx.signal,
    )
    ctx.log.info({ sessionId, backend: backend.name, done }, 'deleted session forgotten')
    return true
  } finally {
    await releaseSession(db, sessionId, token)
  }
}
