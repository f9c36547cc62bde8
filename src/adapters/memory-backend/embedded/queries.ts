import { setImmediate } from 'node:timers/promises'
import { and, desc, eq, gte, inArray, isNotNull, lte, type SQL, type SQLWrapper, sql } from 'drizzle-orm'
import { type Database, preparedOn } from '../../../db/database.ts'
import type { EngineContent } from '../../../db/schema/engine-messages.ts'
import { engineMemories, engineMessages } from '../../../db/schema/index.ts'

/** One (user, app, project): every statement here names it. */
export interface Partition {
  readonly projectId: string
  readonly senderId: string
}

export interface EngineSession extends Partition {
  readonly sessionId: string
}

export interface BufferedMessage {
  readonly timestamp: number
  readonly content: EngineContent
}

export type NewMemory = Omit<typeof engineMemories.$inferInsert, keyof EngineSession | 'createdAt'>

/** Which memories a search covers. Unix ms, inclusive. */
export interface SearchRange extends Partition {
  readonly from: number
  readonly to: number
  readonly sessionIds: readonly string[] | undefined
}

const DELETE_PAGE = 500

const any = (name: string, type: 'text' | 'bigint') => sql`any(${sql.placeholder(name)}::${sql.raw(type)}[])`

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

/** Those of `timestamps` that the session holds, buffered or extracted. */
export async function knownTimestamps(
  db: Database,
  session: EngineSession,
  timestamps: readonly number[],
): Promise<Set<number>> {
  const rows = await knownTimestampsStatement(db).execute({ ...session, timestamps: [...timestamps] })
  return new Set(rows.map(({ timestamp }) => timestamp))
}

/** Messages that are there already stay as they are. */
export async function bufferMessages(
  tx: Database,
  session: EngineSession,
  messages: readonly BufferedMessage[],
): Promise<void> {
  await tx
    .insert(engineMessages)
    .values(messages.map(({ timestamp, content }) => ({ ...session, timestamp, content })))
    .onConflictDoNothing()
}

/** The oldest buffered messages of a session, locked. */
export async function takeBuffered(tx: Database, session: EngineSession, limit: number): Promise<BufferedMessage[]> {
  const rows = await tx
    .select({ timestamp: engineMessages.timestamp, content: engineMessages.content })
    .from(engineMessages)
    .where(
      and(
        eq(engineMessages.projectId, session.projectId),
        eq(engineMessages.senderId, session.senderId),
        eq(engineMessages.sessionId, session.sessionId),
        isNotNull(engineMessages.content),
      ),
    )
    .orderBy(engineMessages.timestamp)
    .limit(limit)
    .for('update')
  return rows.flatMap(({ timestamp, content }) => (content ? [{ timestamp, content }] : []))
}

export async function insertMemories(
  tx: Database,
  session: EngineSession,
  memories: readonly NewMemory[],
): Promise<void> {
  await tx
    .insert(engineMemories)
    .values(
      memories.map((memory) => ({
        ...memory,
        projectId: session.projectId,
        senderId: session.senderId,
        sessionId: session.sessionId,
      })),
    )
    .onConflictDoNothing()
}

/** Empties the buffer of these messages, and keeps their names. */
export async function markExtracted(
  tx: Database,
  session: EngineSession,
  timestamps: readonly number[],
): Promise<void> {
  await tx
    .update(engineMessages)
    .set({ content: null })
    .where(
      and(
        eq(engineMessages.projectId, session.projectId),
        eq(engineMessages.senderId, session.senderId),
        eq(engineMessages.sessionId, session.sessionId),
        inArray(engineMessages.timestamp, [...timestamps]),
      ),
    )
}

const inRange = (withSessions: boolean) =>
  and(
    gte(engineMemories.timestamp, sql.placeholder('from')),
    lte(engineMemories.timestamp, sql.placeholder('to')),
    withSessions ? sql`${engineMemories.sessionId} = ${any('sessionIds', 'text')}` : undefined,
  )

const inPartition = (table: { projectId: SQLWrapper; senderId: SQLWrapper }) =>
  and(
    sql`${table.projectId} = ${sql.placeholder('projectId')}`,
    sql`${table.senderId} = ${sql.placeholder('senderId')}`,
  )

function prepareCount(db: Database, withSessions: boolean) {
  const some = db
    .select({ one: sql`1`.as('one') })
    .from(engineMemories)
    .where(and(inPartition(engineMemories), inRange(withSessions)))
    .limit(sql.placeholder('most'))
    .as('some')
  return db.select({ count: sql<number>`count(*)::int` }).from(some).prepare(`engine_count_${withSessions}`)
}

const countAll = preparedOn((db) => prepareCount(db, false))
const countInSessions = preparedOn((db) => prepareCount(db, true))

/** How many memories a search covers, counted up to `most`. */
export async function countMemories(db: Database, range: SearchRange, most: number): Promise<number> {
  const statement = range.sessionIds ? countInSessions(db) : countAll(db)
  const [row] = await statement.execute({ ...range, most })
  return row?.count ?? 0
}

/**
 * Memories that match, at most `mostMatches`. The limit also keeps the conditions of an outer query out: inside, they
 * would make the planner walk the whole partition rather than use the index of terms, whose queries name it anyway.
 */
function matches(db: Database, query: SQL, withSessions: boolean) {
  return db
    .select({
      id: engineMemories.id,
      projectId: engineMemories.projectId,
      senderId: engineMemories.senderId,
      timestamp: engineMemories.timestamp,
      length: engineMemories.length,
      terms: engineMemories.terms,
    })
    .from(engineMemories)
    .where(and(sql`${engineMemories.terms} @@ ${query}::tsquery`, inRange(withSessions)))
    .limit(sql.placeholder('mostMatches'))
    .as('matched')
}

function prepareHolders(db: Database, withSessions: boolean) {
  const matched = matches(db, sql`asked.query`, withSessions)
  const held = db.select({ count: sql`count(*)::int` }).from(matched).where(inPartition(matched))
  return db
    .select({ holders: sql<number>`(${held})` })
    .from(sql`unnest(${sql.placeholder('queries')}::text[]) with ordinality as asked(query, place)`)
    .orderBy(sql`asked.place`)
    .prepare(`engine_holders_${withSessions}`)
}

const holdersInAll = preparedOn((db) => prepareHolders(db, false))
const holdersInSessions = preparedOn((db) => prepareHolders(db, true))

/** For each of `queries` (`tsquery`s as text), how many memories match it, counted up to `mostMatches`. */
export async function countHolders(
  db: Database,
  range: SearchRange,
  queries: readonly string[],
  mostMatches: number,
): Promise<number[]> {
  const statement = range.sessionIds ? holdersInSessions(db) : holdersInAll(db)
  const rows = await statement.execute({ ...range, queries: [...queries], mostMatches })
  return rows.map(({ holders }) => holders)
}

/** The most promising matches by PostgreSQL's own rank; their vectors are read only once they are chosen. */
function prepareCandidates(db: Database, withSessions: boolean) {
  const matched = matches(db, sql`${sql.placeholder('query')}`, withSessions)
  const score = sql`ts_rank('{0.1,0.4,0.3,1}'::real[], ${matched.terms}, ${sql.placeholder('rankQuery')}::tsquery, 1)`
  const best = db
    .select({ id: matched.id, timestamp: matched.timestamp, length: matched.length, terms: matched.terms })
    .from(matched)
    .where(inPartition(matched))
    .orderBy(sql`${score} desc`, desc(matched.timestamp), matched.id)
    .limit(sql.placeholder('most'))
    .as('best')
  return db
    .select({ id: best.id, timestamp: best.timestamp, length: best.length, vector: sql<string>`${best.terms}::text` })
    .from(best)
    .prepare(`engine_candidates_${withSessions}`)
}

const candidatesOfAll = preparedOn((db) => prepareCandidates(db, false))
const candidatesInSessions = preparedOn((db) => prepareCandidates(db, true))

export interface CandidateQuery {
  /** `tsquery` as text: what a candidate matches. */
  readonly query: string
  /** `tsquery` as text: what it is chosen by. */
  readonly rankQuery: string
  readonly mostMatches: number
  readonly most: number
}

export async function findCandidates(db: Database, range: SearchRange, query: CandidateQuery) {
  const statement = range.sessionIds ? candidatesInSessions(db) : candidatesOfAll(db)
  return await statement.execute({ ...range, ...query })
}

const readStatement = preparedOn((db) => {
  const named = db
    .select()
    .from(engineMemories)
    .where(sql`${engineMemories.id} = ${any('ids', 'text')}`)
    .limit(sql.placeholder('most'))
    .as('named')
  return db.select().from(named).where(inPartition(named)).prepare('engine_read_memories')
})

export async function readMemories(db: Database, { projectId, senderId }: Partition, ids: readonly string[]) {
  return await readStatement(db).execute({ projectId, senderId, ids: [...ids], most: ids.length })
}

/** Deletes in short statements, and lets others have their turn between them; what another call has deleted meanwhile is no fault. */
export async function deleteAll(db: Database, partition: Partition, sessionId: string | undefined): Promise<void> {
  for (const table of [engineMessages, engineMemories]) {
    const some = db
      .select({ row: sql`ctid` })
      .from(table)
      .where(
        and(
          eq(table.projectId, partition.projectId),
          eq(table.senderId, partition.senderId),
          sessionId === undefined ? undefined : eq(table.sessionId, sessionId),
        ),
      )
      .limit(DELETE_PAGE)
    for (;;) {
      const deleted = await db
        .delete(table)
        .where(sql`ctid = any(array(${some}))`)
        .returning({ sessionId: table.sessionId })
      if (deleted.length < DELETE_PAGE) break
      await setImmediate()
    }
  }
}

const pingStatement = preparedOn((db) =>
  db.select({ one: sql<number>`1` }).from(sql`(select 1) as ping`).prepare('engine_ping'),
)

export async function ping(db: Database): Promise<void> {
  await pingStatement(db).execute()
}
