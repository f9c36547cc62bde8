import { and, asc, eq, isNull, sql } from 'drizzle-orm'
import { type Database, preparedOn } from '../../db/database.ts'
import { extractions } from '../../db/schema/extractions.ts'
import { sessions } from '../../db/schema/sessions.ts'
import { userResources } from '../../db/schema/user-resources.ts'
import { textArray } from '../attachments/queries.ts'
import type { Owner } from '../context.ts'

const knownSessions = preparedOn((db) =>
  db
    .select({
      id: sessions.id,
      externalId: sql<string>`${sessions.externalId}`,
      kind: sessions.kind,
      upstreamSessionId: sessions.upstreamSessionId,
      resourceId: userResources.id,
      isDeleted: sql<boolean>`${sessions.deletedAt} is not null`,
    })
    .from(sessions)
    .leftJoin(userResources, eq(userResources.sessionId, sessions.id))
    .where(
      and(
        eq(sessions.userId, sql.placeholder('userId')),
        eq(sessions.scopeId, sql.placeholder('scopeId')),
        sql`${sessions.upstreamSessionId} = any(${sql.placeholder('upstreamSessionIds')}::text[])`,
      ),
    )
    .prepare('known_sessions'),
)

export type KnownSession = Awaited<ReturnType<typeof selectKnownSessions>>[number]

/** Which of the names that the backend gave are sessions of the caller's in this scope, also deleted ones. */
export function selectKnownSessions(
  db: Database,
  owner: Owner,
  scopeId: string,
  upstreamSessionIds: readonly string[],
) {
  return knownSessions(db).execute({ userId: owner.userId, scopeId, upstreamSessionIds: textArray(upstreamSessionIds) })
}

const resourceSessionNames = preparedOn((db) =>
  db
    .select({ name: sessions.upstreamSessionId })
    .from(sessions)
    .where(
      and(
        eq(sessions.userId, sql.placeholder('userId')),
        eq(sessions.scopeId, sql.placeholder('scopeId')),
        eq(sessions.kind, 'resource'),
        isNull(sessions.deletedAt),
      ),
    )
    .prepare('resource_session_names'),
)

/** Upstream names of all live resource sessions of the scope. */
export async function selectResourceSessionNames(db: Database, owner: Owner, scopeId: string): Promise<string[]> {
  const rows = await resourceSessionNames(db).execute({ userId: owner.userId, scopeId })
  return rows.map(({ name }) => name)
}

/** Stretches of a session's upstream timestamps, each a pair of bounds. */
export interface Stretch {
  readonly sessionId: string
  /** Exclusive. */
  readonly after: number
  /** Inclusive. */
  readonly through: number
}

export interface SourceMessage {
  readonly id: string
  readonly sessionId: string
  readonly senderId: string
  readonly timestamp: number
  readonly upstreamTimestamp: number
}

/** So many messages of one stretch are named as sources, the newest. */
const MAX_SOURCES = 50

const messagesInStretches = preparedOn((db) =>
  db
    .select({
      id: sql<string>`m.id`,
      sessionId: sql<string>`m.session_id`,
      senderId: sql<string>`m.sender_id`,
      timestamp: sql<number>`m.timestamp`.mapWith(Number),
      upstreamTimestamp: sql<number>`m.upstream_timestamp`.mapWith(Number),
    })
    .from(
      sql`unnest(${sql.placeholder('sessionIds')}::text[], ${sql.placeholder('afters')}::bigint[], ${sql.placeholder('throughs')}::bigint[])
        as stretch(session_id, after, through)
        cross join lateral (
          select * from messages
          where messages.user_id = ${sql.placeholder('userId')} and messages.session_id = stretch.session_id
            and messages.upstream_timestamp > stretch.after and messages.upstream_timestamp <= stretch.through
          order by messages.upstream_timestamp desc
          limit ${MAX_SOURCES}
        ) m`,
    )
    .orderBy(sql`m.upstream_timestamp`)
    .prepare('messages_in_stretches'),
)

/** The messages that lie in any of the stretches, oldest first, each possibly more than once. */
export function selectMessagesIn(db: Database, owner: Owner, stretches: readonly Stretch[]): Promise<SourceMessage[]> {
  if (stretches.length === 0) return Promise.resolve([])
  return messagesInStretches(db).execute({
    userId: owner.userId,
    sessionIds: textArray(stretches.map(({ sessionId }) => sessionId)),
    afters: numberArray(stretches.map(({ after }) => after)),
    throughs: numberArray(stretches.map(({ through }) => through)),
  })
}

function numberArray(values: readonly number[]): string {
  return `{${values.join(',')}}`
}

/** The extractions of the given sessions, oldest first. */
export function selectExtractions(db: Database, owner: Owner, sessionIds: readonly string[]) {
  return db
    .select()
    .from(extractions)
    .where(
      and(eq(extractions.userId, owner.userId), sql`${extractions.sessionId} = any(${textArray(sessionIds)}::text[])`),
    )
    .orderBy(asc(extractions.throughTimestamp))
}
