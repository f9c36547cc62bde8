import { BackendError, type MemoryHit } from '../../ports/memory-backend.ts'
import type { AttachmentRow } from '../attachments/queries.ts'
import type { Context } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { memoryId } from '../ids.ts'
import { parseInput } from '../parse-input.ts'
import { findScope, findSession, type ScopeRow } from '../sessions/queries.ts'
import { findSources } from './find-sources.ts'
import { type KnownSession, type SourceMessage, selectKnownSessions, selectResourceSessionNames } from './queries.ts'
import { SearchInput, type SearchScope } from './schemas.ts'

export interface SearchResult {
  readonly id: string
  readonly session: KnownSession
  readonly sourceScope: SearchScope
  readonly hit: MemoryHit
  readonly sources: readonly SourceMessage[]
  readonly attachments: readonly AttachmentRow[]
}

/**
 * What the caller's memory holds on a query, best first, within the scopes asked for; with the originals of the messages that each
 * hit came from. Rows of the backend's answer that are not the caller's are dropped. A conversation without
 * memory finds nothing.
 */
export async function searchMemory(ctx: Context, input: unknown): Promise<SearchResult[]> {
  const request = parseInput(SearchInput, input)
  const { db, backend } = ctx.services
  const scope = await findScope(db, ctx.caller, { appId: request.app_id, projectId: request.project_id })
  if (!scope) return []
  const covered = await coveredSessions(ctx, request, scope)
  if (covered.sessionIds?.length === 0) return []
  const { query, min_score: minScore, from, to } = request
  const hits = await backend
    .search(
      {
        projectId: scope.upstreamProjectId,
        senderId: scope.upstreamSenderId,
        query,
        topK: request.top_k,
        ...(covered.sessionIds && { sessionIds: covered.sessionIds }),
        ...(minScore !== undefined && { minScore }),
        ...(from !== undefined && { from }),
        ...(to !== undefined && { to }),
      },
      ctx.signal,
    )
    .catch((error: unknown) => {
      throw searchFailure(error)
    })
  const own = await keepOwn(ctx, scope, hits, covered.sessionIds)
  const origins = await findSources(ctx, own)
  return own.map(({ hit, session }, index) => ({
    id: memoryId(hit.projectId, hit.id),
    session,
    sourceScope: mostSpecific(request.scope, session, covered.currentChat),
    hit,
    sources: origins[index]?.sources ?? [],
    attachments: origins[index]?.attachments ?? [],
  }))
}

/** Upstream names of the sessions to search; undefined for all. */
async function coveredSessions(
  ctx: Context,
  request: SearchInput,
  scope: ScopeRow,
): Promise<{ sessionIds: string[] | undefined; currentChat: string | undefined }> {
  const { db } = ctx.services
  const chatId =
    request.session_id ?? (request.conversation_id !== undefined ? `chat:${request.conversation_id}` : undefined)
  const wantsChat = request.scope.includes('current_chat') && chatId !== undefined
  const chat = wantsChat ? await findSession(db, ctx.caller, scope.id, chatId) : undefined
  const currentChat = chat?.upstreamSessionId
  if (request.scope.includes('all_user_memory')) return { sessionIds: undefined, currentChat }
  const sessionIds = currentChat === undefined ? [] : [currentChat]
  if (request.scope.includes('resources'))
    sessionIds.push(...(await selectResourceSessionNames(db, ctx.caller, scope.id)))
  return { sessionIds: [...new Set(sessionIds)], currentChat }
}

/** Drops what is not the caller's or was not asked for (that raises an alarm), and what the backend still holds of deleted sessions. */
async function keepOwn(
  ctx: Context,
  scope: ScopeRow,
  hits: readonly MemoryHit[],
  coveredSessions: readonly string[] | undefined,
) {
  if (hits.length === 0) return []
  const names = [...new Set(hits.map((hit) => hit.sessionId))]
  const known = await selectKnownSessions(ctx.services.db, ctx.caller, scope.id, names)
  const covered = coveredSessions && new Set(coveredSessions)
  const sessions = new Map(known.map((session) => [session.upstreamSessionId, session]))
  return hits.flatMap((hit) => {
    const session = sessions.get(hit.sessionId)
    if (hit.projectId !== scope.upstreamProjectId) ctx.services.events.hitDropped('partition', hit)
    else if (hit.senderId !== scope.upstreamSenderId) ctx.services.events.hitDropped('sender', hit)
    else if (!session || (covered && !covered.has(hit.sessionId))) ctx.services.events.hitDropped('session', hit)
    else if (!session.isDeleted) return [{ hit, session }]
    return []
  })
}

function mostSpecific(
  asked: readonly SearchScope[],
  session: KnownSession,
  currentChat: string | undefined,
): SearchScope {
  if (asked.includes('current_chat') && session.upstreamSessionId === currentChat) return 'current_chat'
  if (asked.includes('resources') && session.kind === 'resource') return 'resources'
  return 'all_user_memory'
}

function searchFailure(error: unknown): unknown {
  if (!(error instanceof BackendError)) return error
  const options = { details: { backend_code: error.code }, cause: error }
  if (error.outcome === 'rejected') {
    return new GatewayError('backend_rejected', `The memory backend refused the search: ${error.message}`, options)
  }
  if (error.timedOut)
    return new GatewayError('backend_timeout', 'The memory backend did not answer in time. Try again.', options)
  return new GatewayError('backend_failed', 'The memory backend cannot search now. Try again later.', {
    ...options,
    retryAfter: 5,
  })
}
