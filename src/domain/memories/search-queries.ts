import { and, arrayOverlaps, desc, eq, inArray, type SQL, sql } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { memories } from '../../db/schema/memories.ts'
import { sessions } from '../../db/schema/sessions.ts'
import type { MemoryScope } from '../context.ts'
import { inScope, type MemoryRow, matches } from './queries.ts'
import type { MemoryFilter } from './schemas.ts'
import { wordSimilarity } from './similarity-queries.ts'

export interface ComparedMemory {
  readonly memory: MemoryRow
  /** Cosine of the two sets of words, 0..1. */
  readonly similarity: number
}

/** How similar a memory is to a set of words, 0..1. */
function similarityTo(words: readonly string[]): SQL<number> {
  return wordSimilarity(memories, words)
}

/** Memories that have a word of the query, most similar first. */
export async function selectSimilar(
  db: Database,
  scope: MemoryScope,
  words: readonly string[],
  filter: MemoryFilter,
  options: { limit: number; atLeast?: number | undefined },
): Promise<ComparedMemory[]> {
  if (words.length === 0) return []
  const similarity = similarityTo(words)
  return db
    .select({ memory: memories, similarity })
    .from(memories)
    .where(
      and(
        inScope(scope),
        matches(filter),
        arrayOverlaps(memories.terms, [...words]),
        options.atLeast === undefined ? undefined : sql`${similarity} >= ${options.atLeast}`,
      ),
    )
    .orderBy(desc(similarity), desc(memories.importance), desc(memories.createdAt))
    .limit(options.limit)
}

/** The memories behind sessions that the backend named; those that are not in the scope are left out. */
export function selectBySession(
  db: Database,
  scope: MemoryScope,
  upstreamSessionIds: readonly string[],
  filter: MemoryFilter,
): Promise<{ memory: MemoryRow; upstreamSessionId: string }[]> {
  if (upstreamSessionIds.length === 0) return Promise.resolve([])
  return db
    .select({ memory: memories, upstreamSessionId: sessions.upstreamSessionId })
    .from(memories)
    .innerJoin(sessions, eq(sessions.id, memories.sessionId))
    .where(and(inScope(scope), matches(filter), inArray(sessions.upstreamSessionId, [...upstreamSessionIds])))
}
