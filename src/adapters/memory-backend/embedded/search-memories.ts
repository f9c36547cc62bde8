import type { Database } from '../../../db/database.ts'
import type { SearchAnswer, SearchRequest } from '../../../ports/memory-backend.ts'
import type { Embeddings } from './embeddings/embeddings.ts'
import { dampSuperseded } from './facts/damp-superseded.ts'
import { mergeDuplicates } from './retrieval/merge-duplicates.ts'
import type { SearchRange } from './retrieval/queries.ts'
import { rankLexically } from './retrieval/rank-lexically.ts'
import { readHits } from './retrieval/read-hits.ts'

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
  const ranked = await dampSuperseded(db, range, fused?.ranked ?? (await byWords))
  const best = ranked.filter(({ score }) => score >= (request.minScore ?? 0)).slice(0, topK + MOST_DUPLICATES)
  const hits = mergeDuplicates(await readHits(db, range, best, request.explain ?? false)).slice(0, topK)
  if (!embeddings) return { hits, method: 'lexical' }
  return fused?.isHybrid ? { hits, method: 'hybrid' } : { hits, method: 'lexical', notice: WITHOUT_MODEL }
}
