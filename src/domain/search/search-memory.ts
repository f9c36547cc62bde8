import { BackendError, type MemoryHit, type SearchAnswer, type SearchRequest } from '../../ports/memory-backend.ts'
import type { AttachmentRow } from '../attachments/queries.ts'
import type { Context } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { memoryId } from '../ids.ts'
import { parseInput } from '../parse-input.ts'
import { findScope, findSession, type ScopeRow } from '../sessions/queries.ts'
import { type FoundSource, findSources, type Origin } from './find-sources.ts'
import { fuse } from './fuse-hits.ts'
import { keepOwn, type OwnHit } from './own-hits.ts'
import { type KnownSession, selectResourceSessionNames } from './queries.ts'
import { SearchInput, type SearchScope } from './schemas.ts'
import { rankLedger, readLedger } from './search-ledger.ts'

export interface SearchResults extends Pick<SearchAnswer, 'method' | 'notice'> {
  readonly results: readonly SearchResult[]
}

export interface SearchResult {
  readonly id: string
  readonly session: KnownSession
  readonly sourceScope: SearchScope
  readonly hit: MemoryHit
  readonly sources: readonly FoundSource[]
  readonly attachments: readonly AttachmentRow[]
}

const NOTHING: SearchResults = { results: [], method: 'lexical' }

/**
 * What the caller's memory holds on a query, best first, within the scopes asked for; with the originals of the messages that each
 * hit came from. Rows of the backend's answer that are not the caller's are dropped; what it cannot find yet is found in the gateway's own
 * records. A conversation without memory finds nothing.
 */
export async function searchMemory(ctx: Context, input: unknown): Promise<SearchResults> {
  const request = parseInput(SearchInput, input)
  const { db } = ctx.services
  const scope = await findScope(db, ctx.caller, { appId: request.app_id, projectId: request.project_id })
  if (!scope) return NOTHING
  const { sessionIds, currentChat } = await coveredSessions(ctx, request, scope)
  if (sessionIds?.length === 0) return NOTHING
  const { query, min_score: minScore, top_k: topK, explain, from = 0, to = Number.MAX_SAFE_INTEGER } = request
  const unfound = await readLedger(ctx, { scopeId: scope.id, sessionIds, from, to })
  const { hits, method, notice } = await askBackend(ctx, request, scope, sessionIds)
  const pending = await rankLedger(scope, unfound, { query, minScore, explain })
  const found = await withOrigins(ctx, await keepOwn(ctx, scope, hits, sessionIds))
  const others = await withOrigins(ctx, await keepOwn(ctx, scope, notIn(found, pending).slice(0, topK), sessionIds))
  const results = fuse(found, others)
    .slice(0, topK)
    .map(({ hit, session, origin }) => ({
      id: memoryId(hit.projectId, hit.id),
      session,
      sourceScope: mostSpecific(request.scope, session, currentChat),
      hit,
      ...origin,
    }))
  return { results, method, ...(notice !== undefined && { notice }) }
}

async function askBackend(
  ctx: Context,
  { query, top_k: topK, min_score: minScore, from, to, explain }: SearchInput,
  { upstreamProjectId: projectId, upstreamSenderId: senderId }: ScopeRow,
  sessionIds: readonly string[] | undefined,
): Promise<SearchAnswer> {
  const request: SearchRequest = {
    projectId,
    senderId,
    query,
    topK,
    ...(sessionIds && { sessionIds }),
    ...(minScore !== undefined && { minScore }),
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
    explain,
  }
  try {
    return await ctx.services.backend.search(request, ctx.signal)
  } catch (error) {
    throw searchFailure(error)
  }
}

interface FoundHit extends OwnHit {
  readonly origin: Origin
}

async function withOrigins(ctx: Context, hits: readonly OwnHit[]): Promise<FoundHit[]> {
  const origins = await findSources(ctx, hits)
  return hits.map((own, index) => ({ ...own, origin: origins[index] ?? { sources: [], attachments: [] } }))
}

/** What the backend has found after all is not shown twice. */
function notIn(found: readonly FoundHit[], pending: readonly { messageId: string; hit: MemoryHit }[]): MemoryHit[] {
  const shown = new Set(found.flatMap(({ origin }) => origin.sources.map(({ id }) => id)))
  return pending.flatMap(({ messageId, hit }) => (shown.has(messageId) ? [] : [hit]))
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
