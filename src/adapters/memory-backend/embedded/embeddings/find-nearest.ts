import type { Database } from '../../../../db/database.ts'
import { countDocuments } from '../retrieval/document-count.ts'
import type { SearchRange } from '../retrieval/queries.ts'
import { cosine } from './background-similarity.ts'
import { type Near, namedAmong, namedMemories, nearestByIndex, nearestOfAll, readVectors } from './nearest-queries.ts'
import type { VectorCache } from './vector-cache.ts'
import type { VectorSpace } from './vector-extension.ts'

/** Vectors that are compared one by one here, in a database without pgvector; of more memories only those that words have found. */
export const MOST_COMPARED = 2_000
/** And by pgvector: of more, its index finds the nearest. */
const MOST_COMPARED_IN_DATABASE = 10_000
/** The rest says nothing any more. */
const MOST_NEAR = 200

export interface VectorStore {
  readonly model: string
  readonly cache: VectorCache
  /** Undefined without pgvector. */
  readonly space: VectorSpace | undefined
  /** The index of `space` is whole. */
  readonly hasIndex: boolean
}

/** The memories of a range whose vectors are nearest to `vector`, best first. `found` is what its words have found. */
export async function findNearest(
  db: Database,
  store: VectorStore,
  range: SearchRange,
  vector: Float32Array,
  found: readonly string[],
): Promise<Near[]> {
  const { space, hasIndex } = store
  if (!space) return compareHere(db, store, range, vector, found)
  const isLarge = hasIndex && (await countDocuments(db, range)) >= MOST_COMPARED_IN_DATABASE
  return (isLarge ? nearestByIndex : nearestOfAll)(db, range, space, vector, MOST_NEAR)
}

async function compareHere(
  db: Database,
  { cache, model }: VectorStore,
  range: SearchRange,
  vector: Float32Array,
  found: readonly string[],
): Promise<Near[]> {
  const all = await namedMemories(db, range, MOST_COMPARED + 1)
  const memories = all.length > MOST_COMPARED ? await namedAmong(db, range, found) : all
  const known = cache.of(range)
  const unknown = memories.flatMap(({ contentHash }) => (known.has(contentHash) ? [] : [contentHash]))
  const read = await readVectors(db, range, model, [...new Set(unknown)])
  const near = memories.flatMap(({ id, contentHash }) => {
    const other = known.get(contentHash) ?? read.get(contentHash)
    return other?.length === vector.length ? [{ id, similarity: cosine(vector, other) }] : []
  })
  cache.keep(range, read)
  return near.sort((a, b) => b.similarity - a.similarity).slice(0, MOST_NEAR)
}
