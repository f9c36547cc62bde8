import type { MemoryHit, SearchRequest } from '../../../ports/memory-backend.ts'
import type { Episode } from './wire.ts'

export type SearchMethod = 'hybrid' | 'keyword' | 'vector' | 'agentic'

/** `session_id in (…)` of one call: keeps the server's filter expression at a size it compiles quickly. */
const SESSIONS_PER_CALL = 500

/** The bodies of the calls that answer the request together. */
export function searchBodies(request: SearchRequest, method: SearchMethod): readonly object[] {
  const { sessionIds } = request
  if (sessionIds === undefined) return [searchBody(request, method, undefined)]
  const bodies: object[] = []
  for (let from = 0; from < sessionIds.length; from += SESSIONS_PER_CALL) {
    bodies.push(searchBody(request, method, sessionIds.slice(from, from + SESSIONS_PER_CALL)))
  }
  return bodies
}

function searchBody(request: SearchRequest, method: SearchMethod, sessionIds: readonly string[] | undefined): object {
  const filters = {
    ...(sessionIds && { session_id: { in: sessionIds } }),
    ...((request.from !== undefined || request.to !== undefined) && {
      timestamp: { gte: request.from, lte: request.to },
    }),
  }
  return {
    user_id: request.senderId,
    app_id: 'default',
    project_id: request.projectId,
    query: request.query,
    method,
    top_k: request.topK,
    min_score: request.minScore,
    filters: Object.keys(filters).length > 0 ? filters : undefined,
  }
}

/** Best first, at most `topK`. Episodes of no session (merged by the server from several) cannot be scoped: left out. */
export function toHits(episodes: readonly Episode[], request: SearchRequest): MemoryHit[] {
  const floor = request.minScore ?? Number.NEGATIVE_INFINITY
  return episodes
    .flatMap((row) => {
      const hit = toHit(row)
      return hit && hit.score >= floor ? [hit] : []
    })
    .sort((one, other) => other.score - one.score)
    .slice(0, request.topK)
}

function toHit(row: Episode): MemoryHit | undefined {
  const text = row.episode || row.summary
  if (!row.session_id || !text) return undefined
  return {
    id: row.id,
    projectId: row.project_id,
    senderId: row.user_id ?? '',
    sessionId: row.session_id,
    text,
    ...(row.subject && { subject: row.subject }),
    facts: row.atomic_facts.map((fact) => fact.content),
    score: row.score ?? 0,
    timestamp: row.timestamp,
  }
}
