import type { MemoryHit } from '../../ports/memory-backend.ts'
import type { MemoryScope, Owner, ServiceContext } from '../context.ts'
import { selectKnownSessions } from '../search/queries.ts'
import { findScope, type ScopeRow } from '../sessions/queries.ts'
import { emitQueriedInBackground } from '../webhooks/memory-events.ts'
import type { MemoryRow } from './queries.ts'
import type { MemoryFilter } from './schemas.ts'
import { type ComparedMemory, selectBySession, selectSimilar } from './search-queries.ts'
import { wordsOfQuery } from './terms.ts'
import { touchInBackground } from './touch-in-background.ts'

/** How much each part counts in the combined score; they need not add up to 1. */
export interface SearchWeights {
  readonly similarity: number
  readonly importance: number
  readonly recency: number
}

export interface MemorySearch {
  readonly query: string
  /** 1..100 */
  readonly limit: number
  readonly filter?: MemoryFilter | undefined
  /** Leaves out what is less similar, also what the backend found and nothing was computed for. */
  readonly similarityThreshold?: number | undefined
  readonly weights?: SearchWeights | undefined
}

export interface FoundMemory {
  readonly memory: MemoryRow
  /** 0..1; null for what only the backend found: its scores are no similarities. */
  readonly similarity: number | null
  /** 0..1; null where there is no similarity. */
  readonly combinedScore: number | null
}

export interface MemorySearchResult {
  readonly found: readonly FoundMemory[]
  /** Whether the backend had its say; false if it is away or slow, and for a search of all users of a project. */
  readonly backendAsked: boolean
}

export const DEFAULT_WEIGHTS: SearchWeights = { similarity: 0.7, importance: 0.3, recency: 0 }
/** The backend has this long: what the gateway's own rows say is there before. */
const BACKEND_WAIT_MS = 1_500
/** So many sources of one hit are believed. */
const MOST_SOURCES = 50
/** After so many days something is half as recent. */
const HALF_LIFE_DAYS = 30

/**
 * Memories of the scope that have to do with the query, best first: those that share words with it, scored by the gateway from its own
 * rows, then what only the backend found (by meaning, or in a file of a memory), in the backend's order. What was just stored is found at once.
 */
export async function searchMemories(
  ctx: ServiceContext,
  scope: MemoryScope,
  search: MemorySearch,
): Promise<MemorySearchResult> {
  const { limit, filter = {}, similarityThreshold: atLeast, weights = DEFAULT_WEIGHTS } = search
  const words = wordsOfQuery(search.query)
  const [similar, byBackend] = await Promise.all([
    selectSimilar(ctx.services.db, scope, words, filter, { limit: limit * 4, atLeast }),
    atLeast === undefined ? askBackend(ctx, scope, search, filter) : undefined,
  ])
  const scored = similar
    .map((compared) => ({ ...compared, combinedScore: combine(compared, weights) }))
    .toSorted((one, other) => other.combinedScore - one.combinedScore)
  const known = new Set(similar.map(({ memory }) => memory.id))
  const others = (byBackend ?? []).filter((memory) => !known.has(memory.id))
  const found = [...scored, ...others.map((memory) => ({ memory, similarity: null, combinedScore: null }))].slice(
    0,
    limit,
  )
  touchInBackground(
    ctx,
    scope,
    found.map(({ memory }) => memory.id),
  )
  emitQueriedInBackground(ctx, scope, { query: search.query, limit, found: found.map(({ memory }) => memory) })
  return { found, backendAsked: byBackend !== undefined }
}

function combine({ memory, similarity }: ComparedMemory, weights: SearchWeights): number {
  const total = weights.similarity + weights.importance + weights.recency
  if (total <= 0) return similarity
  const ageDays = Math.max(0, Date.now() - memory.createdAt.getTime()) / 86_400_000
  const recency = 0.5 ** (ageDays / HALF_LIFE_DAYS)
  const sum = weights.similarity * similarity + weights.importance * memory.importance + weights.recency * recency
  return sum / total
}

/** What the backend finds, in its order; undefined if it was not asked or did not answer. */
async function askBackend(
  ctx: ServiceContext,
  scope: MemoryScope,
  { query, limit }: MemorySearch,
  filter: MemoryFilter,
): Promise<MemoryRow[] | undefined> {
  const { db, backend } = ctx.services
  if (scope.userId === undefined || query.trim() === '') return undefined
  const owner = { userId: scope.userId }
  const partition = await findScope(db, owner, { appId: 'default', projectId: 'default' })
  if (!partition) return []
  const { upstreamProjectId: projectId, upstreamSenderId: senderId } = partition
  try {
    const signal = AbortSignal.any([ctx.signal, AbortSignal.timeout(BACKEND_WAIT_MS)])
    const { hits } = await backend.search({ projectId, senderId, query, topK: Math.min(100, limit * 2) }, signal)
    const names = await ownSessions(ctx, owner, partition, hits)
    const rows = await selectBySession(db, scope, names, filter)
    const bySession = new Map(rows.map((row) => [row.upstreamSessionId, row.memory]))
    return names.flatMap((name) => bySession.get(name) ?? [])
  } catch (error) {
    ctx.log.warn({ err: error }, 'memories searched without the backend')
    return undefined
  }
}

/**
 * The sessions of an answer, each once, those of its sources too: what several memories say is one hit. What is not the user's raises an alarm; what
 * the backend still holds of deleted ones is no fault. A fact that a newer one contradicts is no reason to show its memory.
 */
async function ownSessions(
  { services: { db, events } }: ServiceContext,
  owner: Owner,
  { id, upstreamProjectId, upstreamSenderId }: ScopeRow,
  hits: readonly MemoryHit[],
): Promise<string[]> {
  const holding = hits.filter(({ fact }) => fact?.supersededBy === undefined)
  if (holding.length === 0) return []
  const asked = [...new Set(holding.flatMap(namesIn))]
  const known = new Set((await selectKnownSessions(db, owner, id, asked)).map((session) => session.upstreamSessionId))
  const own = holding.flatMap((hit) => {
    if (hit.projectId !== upstreamProjectId) events.hitDropped('partition', hit)
    else if (hit.senderId !== upstreamSenderId) events.hitDropped('sender', hit)
    else {
      return namesIn(hit).filter((sessionId) => {
        if (!known.has(sessionId)) events.hitDropped('session', { projectId: hit.projectId, sessionId })
        return known.has(sessionId)
      })
    }
    return []
  })
  return [...new Set(own)]
}

function namesIn({ sessionId, sources = [] }: MemoryHit): string[] {
  return [...new Set([sessionId, ...sources.slice(0, MOST_SOURCES).map((source) => source.sessionId)])]
}
