import { and, eq, isNull, sql } from 'drizzle-orm'
import { type Database, preparedOn } from '../../db/database.ts'
import { attachments } from '../../db/schema/attachments.ts'
import { sessions } from '../../db/schema/sessions.ts'
import { userResources } from '../../db/schema/user-resources.ts'
import { type AttachmentRow, textArray } from '../attachments/queries.ts'
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

/** A stretch of a session's upstream timestamps. */
export interface Stretch {
  readonly sessionId: string
  /** Exclusive. */
  readonly after: number
  /** Inclusive. */
  readonly through: number
  /** If an extraction covers this time, its stretch is meant instead. */
  readonly within: number | null
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

/** Which of the items of its message a file is: 1 for the first. */
const placeInMessage = sql`case when ${attachments.id} is not null then (
  select item.place from jsonb_array_elements(m.content) with ordinality as item(value, place)
  where item.value->>'attachment_id' = ${attachments.id}
) end`

const originals = preparedOn((db) => {
  const userId = sql.placeholder('userId')
  return db
    .select({
      stretch: sql<number>`asked.number - 1`.mapWith(Number),
      message: {
        id: sql<string>`m.id`,
        sessionId: sql<string>`m.session_id`,
        senderId: sql<string>`m.sender_id`,
        timestamp: sql<number>`m.timestamp`.mapWith(Number),
        upstreamTimestamp: sql<number>`m.upstream_timestamp`.mapWith(Number),
      },
      attachment: attachments,
    })
    .from(
      sql`unnest(${sql.placeholder('sessionIds')}::text[], ${sql.placeholder('afters')}::bigint[],
          ${sql.placeholder('throughs')}::bigint[], ${sql.placeholder('withins')}::bigint[])
          with ordinality as asked(session_id, after, through, within, number)
        left join lateral (
          select after_timestamp, through_timestamp from extractions e
          where e.user_id = ${userId} and e.session_id = asked.session_id
            and e.after_timestamp < asked.within and e.through_timestamp >= asked.within
          order by e.through_timestamp
          limit 1
        ) covering on true
        cross join lateral (
          select * from messages
          where messages.user_id = ${userId} and messages.session_id = asked.session_id
            and messages.upstream_timestamp > coalesce(covering.after_timestamp, asked.after)
            and messages.upstream_timestamp <= coalesce(covering.through_timestamp, asked.through)
          order by messages.upstream_timestamp desc
          limit ${MAX_SOURCES}
        ) m`,
    )
    .leftJoin(
      attachments,
      and(eq(attachments.userId, userId), sql`${attachments.messageId} = m.id`, eq(attachments.state, 'stored')),
    )
    .orderBy(sql`m.upstream_timestamp`, placeInMessage)
    .prepare('originals')
})

/** The messages that lie in each of the stretches, which go by their index, oldest first; a message with more than one file once for each, in its order. */
export async function selectOriginals(
  db: Database,
  owner: Owner,
  stretches: readonly Stretch[],
): Promise<{ stretch: number; message: SourceMessage; attachment: AttachmentRow | null }[]> {
  if (stretches.length === 0) return []
  return await originals(db).execute({
    userId: owner.userId,
    sessionIds: textArray(stretches.map(({ sessionId }) => sessionId)),
    afters: numberArray(stretches.map(({ after }) => after)),
    throughs: numberArray(stretches.map(({ through }) => through)),
    withins: numberArray(stretches.map(({ within }) => within)),
  })
}

function numberArray(values: readonly (number | null)[]): string {
  return `{${values.map(String).join(',')}}`
}
