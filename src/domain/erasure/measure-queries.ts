import { and, count, eq, inArray, isNull, type SQL, sql } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { messages } from '../../db/schema/messages.ts'
import { sessions } from '../../db/schema/sessions.ts'
import type { Owner } from '../context.ts'

/** How much there was. */
export interface Extent {
  readonly sessions: number
  readonly messages: number
  readonly objects: number
  readonly bytes: number
}

/** What a session holds. */
export async function measureSession(tx: Database, owner: Owner, sessionId: string): Promise<Extent> {
  const isOfSession = and(eq(messages.userId, owner.userId), eq(messages.sessionId, sessionId))
  const [ofMessages] = await tx.select({ n: count() }).from(messages).where(isOfSession)
  return { sessions: 1, messages: ofMessages?.n ?? 0, ...(await measureObjects(tx, sql`${sessionId}`)) }
}

/** The objects of sessions' files, but for those that files of other sessions have too: they stay. */
export async function measureObjects(tx: Database, sessionIds: SQL): Promise<Pick<Extent, 'objects' | 'bytes'>> {
  const going = sql`(
    select distinct a.object_key, a.size from attachments a join messages m on m.id = a.message_id
    where m.session_id in (${sessionIds}) and not exists (
      select from attachments other left join messages beside on beside.id = other.message_id
      where other.object_key = a.object_key and other.user_id = a.user_id and other.state <> 'deleting'
      and (beside.session_id in (${sessionIds})) is not true
    )) object`
  const [row] = await tx.select(extentOf).from(going)
  return row ?? { objects: 0, bytes: 0 }
}

const extentOf = { objects: count(), bytes: sql<number>`coalesce(sum(object.size), 0)::bigint`.mapWith(Number) }

export async function measureUser(tx: Database, owner: Owner): Promise<Extent> {
  const [ofSessions] = await tx
    .select({ n: count() })
    .from(sessions)
    .where(and(eq(sessions.userId, owner.userId), isNull(sessions.deletedAt)))
  const ownSessions = tx.select({ id: sessions.id }).from(sessions).where(eq(sessions.userId, owner.userId))
  const isOwn = and(eq(messages.userId, owner.userId), inArray(messages.sessionId, ownSessions))
  const [ofFiles] = await tx.select(extentOf).from(sql`(
    select distinct object_key, size from attachments where user_id = ${owner.userId} and state = 'stored') object`)
  return {
    sessions: ofSessions?.n ?? 0,
    messages: await tx.$count(messages, isOwn),
    objects: ofFiles?.objects ?? 0,
    bytes: ofFiles?.bytes ?? 0,
  }
}
