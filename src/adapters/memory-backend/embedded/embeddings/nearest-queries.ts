import { type SQL, sql } from 'drizzle-orm'
import { type Database, inTransaction } from '../../../../db/database.ts'
import type { Partition } from '../queries.ts'
import type { SearchRange } from '../retrieval/queries.ts'
import { asJson, rowsOf, vectorText } from './rows.ts'
import type { VectorSpace } from './vector-extension.ts'

/** A memory, and the cosine of the angle between its vector and that of the question. */
export interface Near {
  readonly id: string
  /** -1..1 */
  readonly similarity: number
}

/** Of a search through the index: how many of the nearest are looked at before sessions and times are. */
const MOST_FROM_INDEX = 400
/** How many candidates pgvector keeps in view while it walks. */
const EF_SEARCH = 200

const inRange = ({ projectId, senderId, from, to, sessionIds }: SearchRange): SQL => sql`
  m.project_id = ${projectId} and m.sender_id = ${senderId} and m."timestamp" between ${from} and ${to}
  ${sessionIds ? sql`and m.session_id in (select jsonb_array_elements_text(${JSON.stringify(sessionIds)}::jsonb))` : sql``}`

const isVectorOf = sql`e.project_id = m.project_id and e.sender_id = m.sender_id and e.content_hash = m.content_hash`

/** By pgvector, each vector of the range compared: exact, and quick as long as there are not too many. */
export async function nearestOfAll(
  db: Database,
  range: SearchRange,
  space: VectorSpace,
  vector: Float32Array,
  most: number,
): Promise<Near[]> {
  const distance = space.distance(vectorText(vector, '[', ']'))
  return rowsOf<Near>(db, nearestOfAllStatement(range, space, distance, most))
}

/** `+ 0` keeps the index out: it would walk through what others remember. */
function nearestOfAllStatement(range: SearchRange, space: VectorSpace, distance: SQL, most: number): SQL {
  return sql`select id, -distance as similarity from (
      select m.id, ${distance} as distance from engine_memories m join engine_embeddings e on ${isVectorOf}
      where ${inRange(range)} and ${space.condition}) as compared
    order by distance + 0 limit ${most}`
}

/** By pgvector's index, which may miss some. Needs `canIterate`. */
export async function nearestByIndex(
  db: Database,
  range: SearchRange,
  space: VectorSpace,
  vector: Float32Array,
  most: number,
): Promise<Near[]> {
  return inTransaction(db, async (tx) => {
    await tx.execute(sql`select set_config('hnsw.iterative_scan', 'relaxed_order', true),
      set_config('hnsw.ef_search', ${String(EF_SEARCH)}, true)`)
    return rowsOf<Near>(tx, nearestByIndexStatement(range, space, vector, most))
  })
}

export function nearestByIndexStatement(
  range: SearchRange,
  space: VectorSpace,
  vector: Float32Array,
  most: number,
): SQL {
  const distance = space.distance(vectorText(vector, '[', ']'))
  return sql`select m.id, -e.distance as similarity from (
      select e.project_id, e.sender_id, e.content_hash, ${distance} as distance from engine_embeddings e
      where e.project_id = ${range.projectId} and e.sender_id = ${range.senderId} and ${space.condition}
      order by ${distance} limit ${MOST_FROM_INDEX}) as e
    join engine_memories m on ${isVectorOf}
    where ${inRange(range)} order by e.distance limit ${most}`
}

export interface NamedMemory {
  readonly id: string
  readonly contentHash: string
}

/** Memories of the range whose text has a name, at most `most`. */
export async function namedMemories(db: Database, range: SearchRange, most: number): Promise<NamedMemory[]> {
  return rowsOf<NamedMemory>(
    db,
    sql`select m.id, m.content_hash as "contentHash" from engine_memories m
      where ${inRange(range)} and m.content_hash is not null limit ${most}`,
  )
}

/** Those of `ids`, within the range. */
export async function namedAmong(db: Database, range: SearchRange, ids: readonly string[]): Promise<NamedMemory[]> {
  if (ids.length === 0) return []
  return rowsOf<NamedMemory>(
    db,
    sql`select m.id, m.content_hash as "contentHash"
      from (select * from engine_memories where id in (select jsonb_array_elements_text(${JSON.stringify(ids)}::jsonb)) limit ${ids.length}) m
      where ${inRange(range)} and m.content_hash is not null`,
  )
}

/** The vectors that a partition has under these names; not all need have one. */
export async function readVectors(
  db: Database,
  { projectId, senderId }: Partition,
  model: string,
  hashes: readonly string[],
): Promise<Map<string, Float32Array>> {
  if (hashes.length === 0) return new Map()
  const rows = await rowsOf<{ contentHash: string; sent: string }>(
    db,
    sql`select e.content_hash as "contentHash", encode(array_send(e.embedding), 'base64') as sent
      from jsonb_to_recordset(${asJson(hashes.map((hash) => ({ hash })))}::jsonb) as given(hash text)
      join engine_embeddings e on e.project_id = ${projectId} and e.sender_id = ${senderId} and e.model = ${model}
        and e.content_hash = given.hash
      where e.embedding is not null`,
  )
  return new Map(rows.map(({ contentHash, sent }) => [contentHash, sentVector(sent)]))
}

/** A `real[]` as PostgreSQL sends it in binary: 20 bytes of head, then a length and a number by turns. Ten times quicker to read than its digits. */
function sentVector(base64: string): Float32Array {
  const bytes = Buffer.from(base64, 'base64')
  const vector = new Float32Array((bytes.length - 20) / 8)
  for (let index = 0; index < vector.length; index++) vector[index] = bytes.readFloatBE(24 + index * 8)
  return vector
}
