import type { HitSource, MemoryHit } from '../../ports/memory-backend.ts'
import type { Context } from '../context.ts'
import type { ScopeRow } from '../sessions/queries.ts'
import { type KnownSession, selectKnownSessions } from './queries.ts'

export interface OwnSource extends HitSource {
  readonly session: KnownSession
}

export interface OwnHit {
  readonly hit: MemoryHit
  readonly session: KnownSession
  /** Undefined if the backend does not say. */
  readonly sources: readonly OwnSource[] | undefined
}

/** So many sources of one hit are believed. */
const MOST_SOURCES = 50

/**
 * Drops what is not the caller's or was not asked for, hits and single sources (that raises an alarm), and what the backend still holds of deleted
 * sessions. A hit that loses all its sources goes with them.
 */
export async function keepOwn(
  ctx: Context,
  scope: ScopeRow,
  hits: readonly MemoryHit[],
  coveredSessions: readonly string[] | undefined,
): Promise<OwnHit[]> {
  if (hits.length === 0) return []
  const { db, events } = ctx.services
  const names = hits.flatMap((hit) => [hit.sessionId, ...sourcesOf(hit).map(({ sessionId }) => sessionId)])
  const known = await selectKnownSessions(db, ctx.caller, scope.id, [...new Set(names)])
  const covered = coveredSessions && new Set(coveredSessions)
  const sessions = new Map(
    known
      .filter(({ upstreamSessionId }) => !covered || covered.has(upstreamSessionId))
      .map((session) => [session.upstreamSessionId, session]),
  )
  return hits.flatMap((hit): OwnHit[] => {
    const session = sessions.get(hit.sessionId)
    if (hit.projectId !== scope.upstreamProjectId) events.hitDropped('partition', hit)
    else if (hit.senderId !== scope.upstreamSenderId) events.hitDropped('sender', hit)
    else if (!session) events.hitDropped('session', hit)
    else if (!session.isDeleted) {
      const named = sourcesOf(hit)
      const sources = named.flatMap((source): OwnSource[] => {
        const own = sessions.get(source.sessionId)
        if (!own) events.hitDropped('session', { projectId: hit.projectId, sessionId: source.sessionId })
        return own && !own.isDeleted ? [{ ...source, session: own }] : []
      })
      if (sources.length > 0 || named.length === 0) return [{ hit, session, sources: hit.sources && sources }]
    }
    return []
  })
}

function sourcesOf(hit: MemoryHit): readonly HitSource[] {
  return hit.sources?.slice(0, MOST_SOURCES) ?? []
}
