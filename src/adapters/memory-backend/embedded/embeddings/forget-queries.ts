import { sql } from 'drizzle-orm'
import { type Database, inTransaction } from '../../../../db/database.ts'
import type { Partition } from '../queries.ts'
import { rowsOf } from './rows.ts'

/**
 * Deletes memories of a partition, or of one session of it, and with them the vectors that no other memory of the partition has, of whatever model.
 * Returns how many memories there were, at most `most`: fewer, and none is left.
 */
export function deleteMemories(
  db: Database,
  partition: Partition,
  sessionId: string | undefined,
  most: number,
): Promise<number> {
  return inTransaction(db, (tx) => deletePage(tx, partition, sessionId, most))
}

/** Until the transaction ends, no other deletes of the partition: two at once that say the same would each take the other's memory for one that still needs the vector. */
export async function deletePage(
  tx: Database,
  { projectId, senderId }: Partition,
  sessionId: string | undefined,
  most: number,
): Promise<number> {
  const name = JSON.stringify(['forget', projectId, senderId])
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${name}, 0))`)
  const ofPartition = sql`project_id = ${projectId} and sender_id = ${senderId}`
  const ofSession = sessionId === undefined ? sql`` : sql`and session_id = ${sessionId}`
  const [row] = await rowsOf<{ count: number }>(
    tx,
    // The models one after another, each by a look into the index: else all vectors of the partition would be read. Not by `ctid`: what is written
    // at this moment, a vector that comes in or terms that are made anew, would stay.
    sql`with recursive models as (
        (select model from engine_embeddings where ${ofPartition} order by model limit 1)
        union all
        select (select model from engine_embeddings where ${ofPartition} and model > models.model order by model limit 1)
          from models where models.model is not null),
      page as (select id from engine_memories where ${ofPartition} ${ofSession} limit ${most}),
      gone as (delete from engine_memories where id = any(array(select id from page)) returning id, content_hash),
      unused as (
        delete from engine_embeddings
          using (select distinct content_hash as hash from gone where content_hash is not null) g, models
          where ${ofPartition} and engine_embeddings.model = models.model and content_hash = g.hash and not exists (
            select from engine_memories m where m.project_id = ${projectId} and m.sender_id = ${senderId}
              and m.content_hash = g.hash and m.id not in (select id from gone)))
    select count(*)::int as count from page`,
  )
  return row?.count ?? 0
}

/** Deletes what a partition has for any model, used or not. Returns how many, at most `most`. */
export async function deleteEmbeddings(
  db: Database,
  { projectId, senderId }: Partition,
  most: number,
): Promise<number> {
  const ofPartition = sql`project_id = ${projectId} and sender_id = ${senderId}`
  const deleted = await rowsOf<object>(
    db,
    sql`delete from engine_embeddings where ${ofPartition} and (model, content_hash) in (
      select model, content_hash from engine_embeddings where ${ofPartition} limit ${most}) returning 1 as one`,
  )
  return deleted.length
}
