import { sql } from 'drizzle-orm'
import { type Database, preparedOn } from '../../db/database.ts'
import { textArray } from '../attachments/queries.ts'
import type { Owner } from '../context.ts'

/** Which of the gateway's own messages a search covers. Unix ms as sent upstream, inclusive. */
export interface LedgerRange {
  readonly scopeId: string
  /** Upstream names; undefined: all. */
  readonly sessionIds: readonly string[] | undefined
  readonly from: number
  readonly to: number
}

/** A message that the backend cannot find yet. */
export interface LedgerMessage {
  readonly id: string
  readonly upstreamSessionId: string
  readonly upstreamTimestamp: number
  /** Who said it, as a reader is shown them. */
  readonly speaker: string
  /** Its beginning. */
  readonly text: string
  /** Of its files. */
  readonly names: string
}

/** So many messages are looked at, the newest. */
export const MOST_MESSAGES = 300
const MOST_CHARACTERS = 2_000

const most = sql.raw(String(MOST_CHARACTERS))
/** Nothing but a text, as most are: for the others, each costs two queries of its own. */
const isPlain = sql`jsonb_array_length(m.content) = 1 and m.content->0 ? 'text'`

const columns = {
  id: sql<string>`m.id`,
  upstreamSessionId: sql<string>`m.upstream_session_id`,
  upstreamTimestamp: sql<number>`m.upstream_timestamp`.mapWith(Number),
  speaker: sql<string>`coalesce(nullif(m.sender_name, ''), m.sender_id)`,
  text: sql<string>`case when ${isPlain} then left(m.content->0->>'text', ${most})
    else coalesce(left((select string_agg(left(item->>'text', ${most}), E'\n') from jsonb_array_elements(m.content) item), ${most}), '') end`,
  names: sql<string>`case when ${isPlain} then ''
    else coalesce((select string_agg(a.name, E'\n') from attachments a
      where a.user_id = m.user_id and a.message_id = m.id and a.state = 'stored'), '') end`,
}

const inSession = sql`s.user_id = ${sql.placeholder('userId')} and s.scope_id = ${sql.placeholder('scopeId')} and s.deleted_at is null
  and (${sql.placeholder('sessionIds')}::text[] is null or s.upstream_session_id = any(${sql.placeholder('sessionIds')}::text[]))`

const inTime = sql`m.upstream_timestamp between ${sql.placeholder('from')}::bigint and ${sql.placeholder('to')}::bigint`

/**
 * What is not relayed is little, and there is an index of it: `offset 0` keeps the planner from any other order, as it takes a range of times for few
 * messages, and would begin with those. The newest first: of a long backlog no more is read than is wanted.
 */
const unrelayed = sql`(select m.*, s.upstream_session_id
  from (select * from batches
    where user_id = ${sql.placeholder('userId')} and state <> 'relayed' and action = 'add' order by created_at desc offset 0) b
  cross join lateral (select * from sessions where id = b.session_id offset 0) s
  cross join lateral (select * from messages where batch_id = b.id offset 0) m
  where m.user_id = ${sql.placeholder('userId')} and ${inSession} and ${inTime}
  order by b.created_at desc, m.position desc limit ${sql.raw(`${MOST_MESSAGES}`)})`

/** From the sessions that were written to last. */
const unextracted = sql`(select m.*, s.upstream_session_id
  from (select * from sessions s where ${inSession} and s.last_upstream_timestamp > s.extracted_through
    order by s.last_activity_at desc limit ${sql.raw(`${MOST_MESSAGES}`)}) s
  cross join lateral (select * from messages m
    where m.user_id = s.user_id and m.session_id = s.id and m.upstream_timestamp > s.extracted_through and ${inTime}
    order by m.upstream_timestamp desc limit ${sql.raw(`${MOST_MESSAGES}`)}) m
  order by m.upstream_timestamp desc limit ${sql.raw(`${MOST_MESSAGES}`)})`

const unrelayedStatement = preparedOn((db) => db.select(columns).from(sql`${unrelayed} m`).prepare('ledger_unrelayed'))

const unextractedStatement = preparedOn((db) =>
  db.select(columns).from(sql`(${unrelayed} union all ${unextracted}) m`).prepare('ledger_unextracted'),
)

function parameters({ userId }: Owner, { scopeId, sessionIds, from, to }: LedgerRange) {
  return { userId, scopeId, sessionIds: sessionIds ? textArray(sessionIds) : null, from, to }
}

/** Newest messages that are stored here and that the backend has not taken. */
export async function selectUnrelayed(db: Database, owner: Owner, range: LedgerRange): Promise<LedgerMessage[]> {
  return await unrelayedStatement(db).execute(parameters(owner, range))
}

/** The same, and the newest messages of which the backend has made no memory although it has taken them. One may come twice. */
export async function selectUnextracted(db: Database, owner: Owner, range: LedgerRange): Promise<LedgerMessage[]> {
  return await unextractedStatement(db).execute(parameters(owner, range))
}
