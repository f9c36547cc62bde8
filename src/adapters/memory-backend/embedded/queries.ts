import { setImmediate } from 'node:timers/promises'
import { and, eq, inArray, isNotNull, type SQL, sql } from 'drizzle-orm'
import { type Database, preparedOn } from '../../../db/database.ts'
import type { EngineContent } from '../../../db/schema/engine-messages.ts'
import { engineMemories, engineMessages, engineSessions } from '../../../db/schema/index.ts'
import { deleteEmbeddings, deleteMemories } from './embeddings/forget-queries.ts'

/** One (user, app, project): every statement here names it. */
export interface Partition {
  readonly projectId: string
  readonly senderId: string
}

export interface EngineSession extends Partition {
  readonly sessionId: string
}

export interface MessageContent {
  readonly timestamp: number
  readonly content: EngineContent
}

export type NewMemory = Omit<typeof engineMemories.$inferInsert, keyof EngineSession | 'createdAt'>

const DELETE_PAGE = 500

/** A parameter that is a list. */
export const any = (name: string, type: 'text' | 'bigint') => sql`any(${sql.placeholder(name)}::${sql.raw(type)}[])`

const messagesOfSession = and(
  eq(engineMessages.projectId, sql.placeholder('projectId')),
  eq(engineMessages.senderId, sql.placeholder('senderId')),
  eq(engineMessages.sessionId, sql.placeholder('sessionId')),
)

const knownTimestampsStatement = preparedOn((db) =>
  db
    .select({ timestamp: engineMessages.timestamp })
    .from(engineMessages)
    .where(and(messagesOfSession, sql`${engineMessages.timestamp} = ${any('timestamps', 'bigint')}`))
    .prepare('engine_known_timestamps'),
)

/** Those of `timestamps` that the session holds. */
export async function knownTimestamps(
  db: Database,
  session: EngineSession,
  timestamps: readonly number[],
): Promise<Set<number>> {
  const rows = await knownTimestampsStatement(db).execute({ ...session, timestamps: [...timestamps] })
  return new Set(rows.map(({ timestamp }) => timestamp))
}

/** Memories of one session that come as JSON, under the names of the columns; whose `id` is there already is left out. */
const insertGivenMemories = (
  condition: SQL,
) => sql`insert into engine_memories (id, project_id, sender_id, session_id, "timestamp", passage, subject,
    body, length, terms, terms_version, kind, speaker, role, place, content_hash)
  select m.id, ${sql.placeholder('projectId')}, ${sql.placeholder('senderId')}, ${sql.placeholder('sessionId')},
    m."timestamp", m.passage, m.subject, m.body, m.length, m.terms, m.terms_version, m.kind, m.speaker, m.role, m.place, m.content_hash
    from jsonb_populate_recordset(null::engine_memories, ${sql.placeholder('memories')}::jsonb) m
    where ${condition}
  on conflict do nothing returning id`

const insertMessagesStatement = preparedOn((db) => {
  const taken = db.$with('taken', { timestamp: sql`"timestamp"` }).as(
    sql`insert into engine_messages (project_id, sender_id, session_id, "timestamp")
      select ${sql.placeholder('projectId')}, ${sql.placeholder('senderId')}, ${sql.placeholder('sessionId')}, given
        from unnest(${sql.placeholder('timestamps')}::bigint[]) as given
      on conflict do nothing returning "timestamp"`,
  )
  const made = db
    .$with('made', { id: sql`id` })
    .as(insertGivenMemories(sql`m."timestamp" in (select "timestamp" from taken)`))
  return db
    .with(taken, made)
    .select({ timestamp: sql<number>`t."timestamp"`.mapWith(Number) })
    .from(sql`taken t`)
    .prepare('engine_insert_messages')
})

/**
 * Takes the messages' names, and keeps memories of those that were not there. One statement, so that an add of usual size needs no transaction of
 * more. Returns the timestamps that are new.
 */
export async function insertMessages(
  db: Database,
  session: EngineSession,
  timestamps: readonly number[],
  memories: readonly NewMemory[],
): Promise<Set<number>> {
  const rows = await insertMessagesStatement(db).execute({
    ...session,
    timestamps: [...timestamps],
    memories: JSON.stringify(memories.map(asRow)),
  })
  return new Set(rows.map(({ timestamp }) => timestamp))
}

const insertMemoriesStatement = preparedOn((db) =>
  db
    .with(db.$with('made', { id: sql`id` }).as(insertGivenMemories(sql`true`)))
    .select({ one: sql<number>`1` })
    .from(sql`(select 1) as one`)
    .prepare('engine_insert_memories'),
)

/** Under the names of the columns, with their defaults. */
function asRow(memory: NewMemory) {
  const { termsVersion = 1, kind = 'turn', speaker = '', role = 'user', contentHash, ...rest } = memory
  return { ...rest, terms_version: termsVersion, kind, speaker, role, content_hash: contentHash }
}

export async function insertMemories(
  tx: Database,
  session: EngineSession,
  memories: readonly NewMemory[],
): Promise<void> {
  await insertMemoriesStatement(tx).execute({ ...session, memories: JSON.stringify(memories.map(asRow)) })
}

const flushStatement = preparedOn((db) => {
  const newest = db
    .$with('newest', { through: sql`through` })
    .as(sql`select max(${engineMessages.timestamp}) as through from ${engineMessages} where ${messagesOfSession}`)
  const moved = db.$with('moved', { through: sql`through` }).as(
    sql`insert into engine_sessions as s (project_id, sender_id, session_id, owner_id, flushed_through, facts_due_at)
      select ${sql.placeholder('projectId')}, ${sql.placeholder('senderId')}, ${sql.placeholder('sessionId')}, ${sql.placeholder('ownerId')}, through,
          case when ${sql.placeholder('drawsFacts')}::boolean then now() end
        from newest where through is not null
      on conflict (project_id, sender_id, session_id) do update set flushed_through = excluded.flushed_through, owner_id = excluded.owner_id,
          facts_due_at = coalesce(s.facts_due_at, excluded.facts_due_at)
        where s.flushed_through < excluded.flushed_through
      returning s.flushed_through as through`,
  )
  return db
    .with(newest, moved)
    .select({
      hasMoved: sql<boolean>`exists (select from moved)`,
      hasBuffer: sql<boolean>`exists (select from ${engineMessages} where ${messagesOfSession} and ${engineMessages.content} is not null)`,
    })
    .from(sql`(select 1) as one`)
    .prepare('engine_flush_session')
})

/** Whether facts are drawn from what is flushed, and at whose cost. */
export interface FactsOfFlush {
  readonly drawsFacts: boolean
  readonly ownerId: string
}

/** Nothing of the session is pending any more; facts are due where they are drawn, unless they are already. `hasMoved`: something was; `hasBuffer`: an older version left messages without memories. */
export async function flushThrough(
  db: Database,
  session: EngineSession,
  facts: FactsOfFlush,
): Promise<{ hasMoved: boolean; hasBuffer: boolean }> {
  const [row] = await flushStatement(db).execute({ ...session, ...facts })
  return row ?? { hasMoved: false, hasBuffer: false }
}

const bufferedSessionsStatement = preparedOn((db) =>
  db
    .selectDistinct({
      projectId: engineMessages.projectId,
      senderId: engineMessages.senderId,
      sessionId: engineMessages.sessionId,
    })
    .from(engineMessages)
    .where(isNotNull(engineMessages.content))
    .limit(sql.placeholder('most'))
    .prepare('engine_buffered_sessions'),
)

/** System scope: sessions, of whomever, in which an older version left messages without memories. */
export async function anyBufferedSessions(db: Database, most: number): Promise<EngineSession[]> {
  return await bufferedSessionsStatement(db).execute({ most })
}

/** The oldest messages of a session that an older version buffered, locked. */
export async function takeBuffered(tx: Database, session: EngineSession, limit: number): Promise<MessageContent[]> {
  const rows = await tx
    .select({ timestamp: engineMessages.timestamp, content: engineMessages.content })
    .from(engineMessages)
    .where(and(ofSession(session), isNotNull(engineMessages.content)))
    .orderBy(engineMessages.timestamp)
    .limit(limit)
    .for('update')
  return rows.flatMap(({ timestamp, content }) => (content ? [{ timestamp, content }] : []))
}

/** Empties the buffer of these messages, and keeps their names. */
export async function emptyBuffer(tx: Database, session: EngineSession, timestamps: readonly number[]): Promise<void> {
  await tx
    .update(engineMessages)
    .set({ content: null })
    .where(and(ofSession(session), inArray(engineMessages.timestamp, [...timestamps])))
}

function ofSession(session: EngineSession) {
  return and(
    eq(engineMessages.projectId, session.projectId),
    eq(engineMessages.senderId, session.senderId),
    eq(engineMessages.sessionId, session.sessionId),
  )
}

/** Deletes in short statements, and lets others have their turn between them; what another call has deleted meanwhile is no fault. */
export async function deleteAll(db: Database, partition: Partition, sessionId: string | undefined): Promise<void> {
  // First: whoever is making memories of a buffered message holds its row until they are there to be deleted.
  await deleteInPages(db, engineMessages, partition, sessionId)
  while ((await deleteMemories(db, partition, sessionId, DELETE_PAGE)) === DELETE_PAGE) await setImmediate()
  if (sessionId === undefined) {
    while ((await deleteEmbeddings(db, partition, DELETE_PAGE)) === DELETE_PAGE) await setImmediate()
  }
  await deleteInPages(db, engineSessions, partition, sessionId)
}

/** By their keys, not by where they lie: one that is being written meanwhile is deleted, too. */
export async function deleteInPages(
  db: Database,
  table: typeof engineMessages | typeof engineSessions,
  { projectId, senderId }: Partition,
  sessionId: string | undefined,
): Promise<void> {
  const own = and(
    eq(table.projectId, projectId),
    eq(table.senderId, senderId),
    sessionId === undefined ? undefined : eq(table.sessionId, sessionId),
  )
  const key = 'timestamp' in table ? sql`(${table.sessionId}, ${table.timestamp})` : sql`${table.sessionId}`
  const columns = 'timestamp' in table ? sql`session_id, "timestamp"` : sql`session_id`
  for (;;) {
    const deleted = await db
      .delete(table)
      .where(and(own, sql`${key} in (select ${columns} from ${table} where ${own} limit ${DELETE_PAGE})`))
      .returning({ sessionId: table.sessionId })
    // Not fewer than a page: another call may have deleted some of it.
    if (deleted.length === 0) return
    await setImmediate()
  }
}

const pingStatement = preparedOn((db) =>
  db.select({ one: sql<number>`1` }).from(sql`(select 1) as ping`).prepare('engine_ping'),
)

export async function ping(db: Database): Promise<void> {
  await pingStatement(db).execute()
}
