import { sql } from 'drizzle-orm'
import type { Database } from '../../../../db/database.ts'
import type { Partition } from '../queries.ts'
import type { EmbeddedMemory, TurnBefore } from './embedded-text.ts'
import { type EmbeddingKey, turnBefore } from './queue-queries.ts'
import { asJson, rowsOf } from './rows.ts'

/* System scope: these walk through the memories of all partitions, page by page, so that a model comes to know them. */

export interface ScannedMemory extends Partition, EmbeddedMemory {
  readonly id: string
  readonly contentHash: string | null
  readonly before: TurnBefore | undefined
}

/** The memories after `id` whose text has not been named yet, or that the model has not been given, among the next `most`; and where those end. */
export async function scanPage(
  db: Database,
  model: string,
  after: string,
  most: number,
): Promise<{ lacking: ScannedMemory[]; last: string | undefined }> {
  const [end] = await rowsOf<{ last: string | null }>(
    db,
    sql`select max(id) as last from (select id from engine_memories where id > ${after} order by id limit ${most}) as page`,
  )
  if (end?.last == null) return { lacking: [], last: undefined }
  const rows = await rowsOf<
    Omit<ScannedMemory, 'before'> & { beforeSpeaker: string | null; beforeBody: string | null }
  >(
    db,
    sql`select m.id, m.project_id as "projectId", m.sender_id as "senderId", m.content_hash as "contentHash",
        m.kind, m.speaker, m.subject, m.body, b.speaker as "beforeSpeaker", b.body as "beforeBody"
      from engine_memories m left join lateral (${turnBefore}) b on m.kind = 'turn' and m.content_hash is null
      where m.id > ${after} and m.id <= ${end.last} and not exists (
        select from engine_embeddings e where e.project_id = m.project_id and e.sender_id = m.sender_id
          and e.model = ${model} and e.content_hash = m.content_hash)`,
  )
  const lacking = rows.map(({ beforeSpeaker, beforeBody, ...memory }) => ({
    ...memory,
    before: beforeBody === null ? undefined : { speaker: beforeSpeaker ?? '', body: beforeBody },
  }))
  return { lacking, last: end.last }
}

/** Names the texts of memories that have no name yet, and has all of them wait for the model. */
export async function enqueueScanned(
  db: Database,
  model: string,
  rows: readonly (EmbeddingKey & { id: string })[],
): Promise<void> {
  if (rows.length === 0) return
  await db.execute(sql`with given as (
      select * from jsonb_to_recordset(${asJson(rows)}::jsonb)
        as given(id text, "projectId" text, "senderId" text, "contentHash" text)),
    named as (
      update engine_memories m set content_hash = given."contentHash" from given
        where m.id = given.id and m.project_id = given."projectId" and m.sender_id = given."senderId"
          and m.content_hash is null)
    insert into engine_embeddings (project_id, sender_id, model, content_hash, due_at)
      select distinct "projectId", "senderId", ${model}, "contentHash", now() from given
      on conflict do nothing`)
}

/** Tells all processes that this model is in use. */
export async function markInUse(db: Database, model: string): Promise<void> {
  await db.execute(sql`insert into engine_embedding_models (model, used_at) values (${model}, now())
    on conflict (model) do update set used_at = now()`)
}

/** Models that a process has used within so many ms; the others are forgotten. */
export async function modelsInUse(db: Database, withinMs: number): Promise<string[]> {
  const since = sql`now() - ${withinMs}::float8 * interval '1 millisecond'`
  await db.execute(sql`delete from engine_embedding_models where used_at < ${since}`)
  const rows = await rowsOf<{ model: string }>(db, sql`select model from engine_embedding_models`)
  return rows.map(({ model }) => model)
}

/** Part of a partition: the rows of one model. */
export interface ModelRows extends Partition {
  readonly model: string
}

/** The next of them in order: a step from one to another without reading what lies between. */
export async function nextModelRows(db: Database, after: ModelRows): Promise<ModelRows | undefined> {
  const [row] = await rowsOf<ModelRows>(
    db,
    sql`select project_id as "projectId", sender_id as "senderId", model from engine_embeddings
      where (project_id, sender_id, model) > (${after.projectId}, ${after.senderId}, ${after.model})
      order by project_id, sender_id, model limit 1`,
  )
  return row
}

/** Returns how many were deleted. */
export async function deleteModelRows(db: Database, rows: ModelRows, most: number): Promise<number> {
  const deleted = await rowsOf<object>(
    db,
    sql`delete from engine_embeddings where ctid = any(array(
      select ctid from engine_embeddings where project_id = ${rows.projectId} and sender_id = ${rows.senderId}
        and model = ${rows.model} limit ${most})) returning 1 as one`,
  )
  return deleted.length
}
