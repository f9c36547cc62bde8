import { and, desc, eq, gte, lte, type SQL, type SQLWrapper, sql } from 'drizzle-orm'
import { type Database, preparedOn } from '../../../../db/database.ts'
import { TERMS_VERSION } from '../../../../db/schema/engine-memories.ts'
import { engineMemories, engineSessions } from '../../../../db/schema/index.ts'
import { any, type Partition } from '../queries.ts'

/** Which memories a search covers. Unix ms, inclusive. */
export interface SearchRange extends Partition {
  readonly from: number
  readonly to: number
  readonly sessionIds: readonly string[] | undefined
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

const outdatedStatement = preparedOn((db) =>
  db
    .select({ id: engineMemories.id })
    .from(engineMemories)
    .where(sql`${engineMemories.termsVersion} < ${sql.raw(String(TERMS_VERSION))}`)
    .limit(1)
    .prepare('engine_outdated'),
)

/** Whether there are memories, of anybody (system scope), whose terms are to be made anew. */
export async function hasOutdatedTerms(db: Database): Promise<boolean> {
  const rows = await outdatedStatement(db).execute()
  return rows.length > 0
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
      sessionId: engineMemories.sessionId,
      timestamp: engineMemories.timestamp,
      passage: engineMemories.passage,
      kind: engineMemories.kind,
      role: engineMemories.role,
      length: engineMemories.length,
      terms: engineMemories.terms,
    })
    .from(engineMemories)
    .where(and(sql`${engineMemories.terms} @@ ${query}::tsquery`, inRange(withSessions)))
    .limit(sql.placeholder('mostMatches'))
    .as('matched')
}

/** A memory as the ranking sees it. */
export interface FoundMemory {
  readonly id: string
  readonly sessionId: string
  /** Unix ms. */
  readonly timestamp: number
  readonly passage: number
  readonly kind: 'turn' | 'passage' | 'fact'
  readonly role: 'user' | 'assistant' | 'tool'
  /** Terms, repeats included. */
  readonly length: number
  /** Text of a `tsvector`. */
  readonly vector: string
}

function prepareHolders(db: Database, withSessions: boolean) {
  const countOf = (query: SQL) => {
    const matched = matches(db, query, withSessions)
    const counted = db.select({ count: sql`count(*)::int` }).from(matched).where(inPartition(matched))
    return sql`case when ${query} <> '' then (${counted}) end`
  }
  const asked = sql`unnest(${sql.placeholder('samples')}::text[], ${sql.placeholder('queries')}::text[])
    with ordinality as asked(sample, query, place)`
  const isCommon = sql`sampled.count >= ${sql.placeholder('common')}`
  return db
    .select({
      sampled: sql<number | null>`sampled.count`,
      held: sql<number | null>`case when ${isCommon} then null else ${countOf(sql`asked.query`)} end`,
    })
    .from(sql`${asked} cross join lateral (select ${countOf(sql`asked.sample`)} as count) as sampled`)
    .orderBy(sql`asked.place`)
    .prepare(`engine_holders_${withSessions}`)
}

const holdersInAll = preparedOn((db) => prepareHolders(db, false))
const holdersInSessions = preparedOn((db) => prepareHolders(db, true))

export interface HoldersQuery {
  /** `tsquery` as text. */
  readonly query: string
  /** The same among a sample of the memories; undefined: only all of them are looked through. */
  readonly sample?: string
}

/** How many memories match a query, counted up to `mostMatches`; `sampled`: so many of the sample do, which are too many to count them all. */
export type Holders = { readonly held: number } | { readonly sampled: number }

/** Of each query; those that at least `common` of the sample match are not counted any further. */
export async function countHolders(
  db: Database,
  range: SearchRange,
  asked: readonly HoldersQuery[],
  bounds: { readonly mostMatches: number; readonly common: number },
): Promise<Holders[]> {
  const statement = range.sessionIds ? holdersInSessions(db) : holdersInAll(db)
  const rows = await statement.execute({
    ...range,
    ...bounds,
    samples: asked.map(({ sample = '' }) => sample),
    queries: asked.map(({ query }) => query),
  })
  return rows.map(({ sampled, held }) => (held === null ? { sampled: sampled ?? 0 } : { held }))
}

/** The most promising matches by PostgreSQL's own rank; their vectors are read only once they are chosen. */
function prepareCandidates(db: Database, withSessions: boolean) {
  const matched = matches(db, sql`${sql.placeholder('query')}`, withSessions)
  const score = sql`ts_rank('{0.1,0.4,0.3,1}'::real[], ${matched.terms}, ${sql.placeholder('rankQuery')}::tsquery, 1)`
  const best = db
    .select()
    .from(matched)
    .where(inPartition(matched))
    .orderBy(sql`${score} desc`, desc(matched.timestamp), matched.id)
    .limit(sql.placeholder('most'))
    .as('best')
  return db
    .select({
      id: best.id,
      sessionId: best.sessionId,
      timestamp: best.timestamp,
      passage: best.passage,
      kind: best.kind,
      role: best.role,
      length: best.length,
      vector: sql<string>`${best.terms}::text`,
    })
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

export async function findCandidates(db: Database, range: SearchRange, query: CandidateQuery): Promise<FoundMemory[]> {
  const statement = range.sessionIds ? candidatesInSessions(db) : candidatesOfAll(db)
  return await statement.execute({ ...range, ...query })
}

/** The messages next to one, in one direction: by their first passage, as the index of the partition has them. */
function beside(direction: 'before' | 'after') {
  const compare = sql.raw(direction === 'before' ? '<' : '>')
  const order = sql.raw(direction === 'before' ? 'desc' : 'asc')
  return sql`(select m.id from ${engineMemories} m
    where m.project_id = ${sql.placeholder('projectId')} and m.sender_id = ${sql.placeholder('senderId')}
      and m.session_id = centre.session_id and m."timestamp" ${compare} centre."timestamp"
      and m."timestamp" between ${sql.placeholder('from')} and ${sql.placeholder('to')}
      and m.passage = 0 and m.kind <> 'fact'
    order by m."timestamp" ${order} limit ${sql.placeholder('reach')})`
}

const neighboursStatement = preparedOn((db) => {
  const centres = sql`unnest(${sql.placeholder('sessions')}::text[], ${sql.placeholder('times')}::bigint[])
    as centre(session_id, "timestamp")`
  const near = sql`select near.id from ${centres},
    lateral (${beside('before')} union all ${beside('after')}) as near
    except select unnest(${sql.placeholder('known')}::text[])`
  // By their ids alone, hence the limit: else the server may go through all of the partition, and compare each id with all of these.
  const named = db
    .select()
    .from(engineMemories)
    .where(sql`${engineMemories.id} = any(array(${near}))`)
    .limit(sql.placeholder('most'))
    .as('named')
  return db
    .select({
      id: named.id,
      sessionId: named.sessionId,
      timestamp: named.timestamp,
      passage: named.passage,
      kind: named.kind,
      role: named.role,
      length: named.length,
      vector: sql<string>`${named.terms}::text`,
    })
    .from(named)
    .where(inPartition(named))
    .prepare('engine_neighbours')
})

/**
 * The `reach` messages before and after each of `messages` in its session, each by its first passage, without those whose ids are known;
 * none outside of the range's times.
 */
export async function findNeighbours(
  db: Database,
  range: SearchRange,
  messages: readonly { readonly sessionId: string; readonly timestamp: number }[],
  known: readonly string[],
  reach: number,
): Promise<FoundMemory[]> {
  const { projectId, senderId, from, to } = range
  const sessions = messages.map(({ sessionId }) => sessionId)
  const times = messages.map(({ timestamp }) => timestamp)
  const most = 2 * reach * messages.length
  const given = { projectId, senderId, from, to, sessions, times, known: [...known], reach, most }
  return await neighboursStatement(db).execute(given)
}

const readStatement = preparedOn((db) => {
  const named = db
    .select()
    .from(engineMemories)
    .where(sql`${engineMemories.id} = ${any('ids', 'text')}`)
    .limit(sql.placeholder('most'))
    .as('named')
  const session = and(
    eq(engineSessions.projectId, named.projectId),
    eq(engineSessions.senderId, named.senderId),
    eq(engineSessions.sessionId, named.sessionId),
  )
  return db
    .select({
      ...named._.selectedFields,
      isPending: sql<boolean>`${named.timestamp} > coalesce(${engineSessions.flushedThrough}, 0)`,
    })
    .from(named)
    .leftJoin(engineSessions, session)
    .where(inPartition(named))
    .prepare('engine_read_memories')
})

export async function readMemories(db: Database, { projectId, senderId }: Partition, ids: readonly string[]) {
  return await readStatement(db).execute({ projectId, senderId, ids: [...ids], most: ids.length })
}
