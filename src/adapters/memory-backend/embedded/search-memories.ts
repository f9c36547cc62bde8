import type { Database } from '../../../db/database.ts'
import type { MemoryHit, SearchAnswer, SearchRequest } from '../../../ports/memory-backend.ts'
import type { Embeddings } from './embeddings/embeddings.ts'
import { mergeDuplicates } from './retrieval/merge-duplicates.ts'
import type { SearchRange } from './retrieval/queries.ts'
import { rankLexically } from './retrieval/rank-lexically.ts'
import { readHits } from './retrieval/read-hits.ts'
import type { RankedMemory } from './retrieval/score.ts'

export interface SearchContext {
  readonly db: Database
  readonly embeddings: Embeddings | undefined
}

const WITHOUT_MODEL = 'The embedding model did not answer: these were found by their words alone.'

/** Read besides the hits wanted, to find among them what says the same as those. */
const MOST_DUPLICATES = 40

/** Ranks by words, and by meaning where there is a model for it, reads the best, and merges what says the same. */
export async function searchMemories(
  { db, embeddings }: SearchContext,
  request: SearchRequest,
  signal?: AbortSignal,
): Promise<SearchAnswer> {
  const { projectId, senderId, query, topK, sessionIds } = request
  const from = request.from ?? 0
  const to = request.to ?? Number.MAX_SAFE_INTEGER
  const range: SearchRange = { projectId, senderId, from, to, sessionIds }
  const byWords = rankLexically(db, range, { text: query, askedAt: request.askedAt ?? Date.now() }, topK)
  const fused = await embeddings?.fuse(range, query, byWords, signal)
  const hits = await bestHits(db, request, fused?.ranked ?? (await byWords))
  if (!embeddings) return { hits, method: 'lexical' }
  return fused?.isHybrid ? { hits, method: 'hybrid' } : { hits, method: 'lexical', notice: WITHOUT_MODEL }
}

/** Where some of what was read sinks, reads on as long as what was not could be better. */
async function bestHits(
  db: Database,
  { topK, minScore = 0, explain = false, ...partition }: SearchRequest,
  ranked: readonly RankedMemory[],
): Promise<MemoryHit[]> {
  for (let most = topK + MOST_DUPLICATES; ; most *= 2) {
    const read = await readHits(db, partition, ranked.slice(0, most), explain)
    const hits = mergeDuplicates(read.filter(({ score }) => score >= minScore)).slice(0, topK)
    const next = ranked[most]?.score ?? 0
    const isWhole = next === 0 || next < minScore || read.every(({ fact }) => fact?.supersededBy === undefined)
    if (isWhole || (hits.length === topK && (hits.at(-1)?.score ?? 0) >= next)) return hits
  }
}
