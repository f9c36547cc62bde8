import { type SQL, sql } from 'drizzle-orm'
import type { Database } from '../../../../db/database.ts'
import type { Partition } from '../queries.ts'
import type { EmbeddedMemory, TurnBefore } from './embedded-text.ts'
import { asJson, rowsOf, vectorText } from './rows.ts'

/*
 * System scope, but for `enqueue`: the queue serves all partitions of one model in the order of their waiting. Each row names its own partition,
 * and is joined with the memories of that one alone.
 */

/** Names a row of `engine_embeddings` of a model. */
export interface EmbeddingKey extends Partition {
  readonly contentHash: string
}

export interface Claim extends EmbeddingKey {
  /** Tries, with this one, of which nobody told how they ended. */
  readonly attempts: number
}

const keyColumns = sql`project_id as "projectId", sender_id as "senderId", content_hash as "contentHash"`
function given(keys: readonly EmbeddingKey[]): SQL {
  const rows = keys.map(({ projectId, senderId, contentHash }, place) => ({ projectId, senderId, contentHash, place }))
  return sql`jsonb_to_recordset(${asJson(rows)}::jsonb)
    as given("projectId" text, "senderId" text, "contentHash" text, place int)`
}
const isGiven = sql`e.project_id = given."projectId" and e.sender_id = given."senderId" and e.content_hash = given."contentHash"`
/** A memory of its partition says it. */
const isUsed = sql`exists (select from engine_memories m
  where m.project_id = e.project_id and m.sender_id = e.sender_id and m.content_hash = e.content_hash)`

/** Has texts of a partition wait for the model, unless they do already or have a vector. */
export async function enqueue(
  db: Database,
  model: string,
  { projectId, senderId }: Partition,
  hashes: readonly string[],
): Promise<void> {
  if (hashes.length === 0) return
  await db.execute(sql`insert into engine_embeddings (project_id, sender_id, model, content_hash, due_at)
    select ${projectId}, ${senderId}, ${model}, hash, now()
      from jsonb_array_elements_text(${JSON.stringify([...new Set(hashes)])}::jsonb) as hash
    on conflict do nothing`)
}

/** Texts that are due, the longest waiting first. Nobody else is given them within the lease. */
export async function claimDue(db: Database, model: string, most: number, leaseMs: number): Promise<Claim[]> {
  return rowsOf<Claim>(
    db,
    sql`update engine_embeddings set due_at = now() + ${leaseMs}::float8 * interval '1 millisecond', attempts = attempts + 1
      where ctid = any(array(
        select ctid from engine_embeddings where model = ${model} and due_at <= now()
        order by due_at limit ${most} for update skip locked))
      returning ${keyColumns}, attempts`,
  )
}

/** For each claim a memory that it stands for, and the turn before that; undefined if no memory says it any more. */
export async function readClaimed(
  db: Database,
  claims: readonly Claim[],
): Promise<({ memory: EmbeddedMemory; before: TurnBefore | undefined } | undefined)[]> {
  const rows = await rowsOf<
    EmbeddedMemory & { beforeSpeaker: string | null; beforeBody: string | null; body: string | null }
  >(
    db,
    sql`select m.kind, m.speaker, m.subject, m.body, b.speaker as "beforeSpeaker", b.body as "beforeBody"
      from ${given(claims)}
      left join lateral (
        select * from engine_memories where project_id = given."projectId" and sender_id = given."senderId"
          and content_hash = given."contentHash" limit 1) m on true
      left join lateral (${turnBefore}) b on m.kind = 'turn'
      order by given.place`,
  )
  return rows.map(({ beforeSpeaker, beforeBody, ...memory }) =>
    memory.body === null
      ? undefined
      : { memory, before: beforeBody === null ? undefined : { speaker: beforeSpeaker ?? '', body: beforeBody } },
  )
}

/** Of the memory `m`. */
export const turnBefore = sql`select speaker, body from engine_memories
  where project_id = m.project_id and sender_id = m.sender_id and session_id = m.session_id
    and "timestamp" < m."timestamp" and kind = 'turn'
  order by "timestamp" desc, passage desc limit 1`

/** What was deleted meanwhile stays so, also where its row was made again by somebody who had read of it before: that one is dropped when it is due. */
export async function storeVectors(
  db: Database,
  model: string,
  rows: readonly (EmbeddingKey & { vector: Float32Array })[],
): Promise<void> {
  const vectors = asJson(
    rows.map(({ projectId, senderId, contentHash, vector }) => ({
      projectId,
      senderId,
      contentHash,
      vector: vectorText(vector),
    })),
  )
  await db.execute(sql`update engine_embeddings e set embedding = given.vector::real[], due_at = null, attempts = 0
    from jsonb_to_recordset(${vectors}::jsonb) as given("projectId" text, "senderId" text, "contentHash" text, vector text)
    where ${isGiven} and e.model = ${model} and ${isUsed}`)
}

/** Gives claims back: texts that still wait are due again in so many ms, or never (null): the model refuses them. */
export async function postpone(
  db: Database,
  model: string,
  keys: readonly EmbeddingKey[],
  waitMs: number | null,
): Promise<void> {
  if (keys.length === 0) return
  await db.execute(sql`update engine_embeddings e set due_at = now() + ${waitMs}::float8 * interval '1 millisecond',
      attempts = greatest(attempts - 1, 0)
    from ${given(keys)} where ${isGiven} and e.model = ${model} and e.embedding is null and e.due_at is not null`)
}

/** Those that no memory of their partition uses. */
export async function dropUnused(db: Database, model: string, keys: readonly EmbeddingKey[]): Promise<void> {
  if (keys.length === 0) return
  await db.execute(sql`delete from engine_embeddings e using ${given(keys)}
    where ${isGiven} and e.model = ${model} and not ${isUsed}`)
}

/** How many texts wait, counted up to `most`, and in how many ms the next of them is due. */
export async function countWaiting(
  db: Database,
  model: string,
  most: number,
): Promise<{ waiting: number; dueInMs: number | null }> {
  const [row] = await rowsOf<{ waiting: number; dueInMs: number | null }>(
    db,
    sql`select count(*)::int as waiting, (extract(epoch from min(due_at) - now()) * 1000)::float8 as "dueInMs"
      from (select due_at from engine_embeddings where model = ${model} and due_at is not null
        order by due_at limit ${most}) as counted`,
  )
  return row ?? { waiting: 0, dueInMs: null }
}
