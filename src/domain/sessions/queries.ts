import { and, asc, desc, eq, gt, inArray, isNull, lt, max, sql } from 'drizzle-orm'
import { type Database, preparedOn } from '../../db/database.ts'
import { constantRow } from '../../db/kept-rows.ts'
import { batches } from '../../db/schema/batches.ts'
import { messages } from '../../db/schema/messages.ts'
import { scopes } from '../../db/schema/scopes.ts'
import { type SessionKind, sessions } from '../../db/schema/sessions.ts'
import type { Owner, Space } from '../context.ts'
import type { Cursor } from '../cursor.ts'
import { idUnlessErased } from '../users/queries.ts'

export type ScopeRow = typeof scopes.$inferSelect
export type SessionRow = typeof sessions.$inferSelect
export type MessageRow = typeof messages.$inferSelect
export type NewMessage = Omit<MessageRow, 'userId' | 'sessionId' | 'batchId' | 'createdAt'>

const scopeBySpace = preparedOn((db) =>
  db
    .select()
    .from(scopes)
    .where(
      and(
        eq(scopes.userId, sql.placeholder('userId')),
        eq(scopes.appId, sql.placeholder('appId')),
        eq(scopes.projectId, sql.placeholder('projectId')),
      ),
    )
    .prepare('scope_by_space'),
)

export function findScope(db: Database, { userId }: Owner, { appId, projectId }: Space): Promise<ScopeRow | undefined> {
  const place = { userId, appId, projectId }
  return constantRow(db, `scope ${JSON.stringify(place)}`, async () => (await scopeBySpace(db).execute(place))[0])
}

/** Nothing happens if the scope is there already. */
export async function insertScope(
  db: Database,
  owner: Owner,
  scope: Pick<ScopeRow, 'id' | 'appId' | 'projectId' | 'upstreamProjectId' | 'upstreamSenderId'>,
): Promise<void> {
  await db
    .insert(scopes)
    .values({ ...scope, userId: owner.userId })
    .onConflictDoNothing()
}

const lockStatement = preparedOn((db) =>
  db
    .insert(sessions)
    .values({
      id: sql.placeholder('id'),
      userId: idUnlessErased({ userId: sql.placeholder('userId') }),
      scopeId: sql.placeholder('scopeId'),
      externalId: sql.placeholder('externalId'),
      kind: sql.placeholder('kind'),
      upstreamSessionId: sql.placeholder('upstreamSessionId'),
    })
    .onConflictDoUpdate({ target: [sessions.scopeId, sessions.externalId], set: { lastActivityAt: sql`now()` } })
    .returning()
    .prepare('lock_session'),
)

/**
 * The live session of that name, made if need be, and locked until the transaction ends: adds to one session take
 * their timestamps one after the other.
 */
export async function lockSession(
  tx: Database,
  owner: Owner,
  session: { id: string; scopeId: string; externalId: string; kind: SessionKind; upstreamSessionId: string },
): Promise<SessionRow> {
  const [row] = await lockStatement(tx).execute({ ...session, userId: owner.userId })
  if (!row) throw new Error('The session was neither found nor made.')
  return row
}

/** Locks a session that is known to exist; undefined if it was deleted meanwhile. */
export async function lockExistingSession(
  tx: Database,
  owner: Owner,
  sessionId: string,
): Promise<SessionRow | undefined> {
  const [row] = await tx
    .update(sessions)
    .set({ lastActivityAt: sql`now()` })
    .where(and(eq(sessions.userId, owner.userId), eq(sessions.id, sessionId), isNull(sessions.deletedAt)))
    .returning()
  return row
}

export async function setLastUpstreamTimestamp(
  tx: Database,
  owner: Owner,
  sessionId: string,
  timestamp: number,
): Promise<void> {
  await tx
    .update(sessions)
    .set({ lastUpstreamTimestamp: timestamp })
    .where(and(eq(sessions.userId, owner.userId), eq(sessions.id, sessionId)))
}

/** Moves a batch's messages to times behind all others of their session. */
export async function moveMessages(tx: Database, owner: Owner, batchId: string, delta: number): Promise<void> {
  await tx
    .update(messages)
    .set({ upstreamTimestamp: sql`${messages.upstreamTimestamp} + ${delta}::bigint` })
    .where(and(eq(messages.userId, owner.userId), eq(messages.batchId, batchId)))
}

export async function findSession(
  db: Database,
  owner: Owner,
  scopeId: string,
  externalId: string,
): Promise<SessionRow | undefined> {
  const [row] = await db
    .select()
    .from(sessions)
    .where(and(eq(sessions.userId, owner.userId), eq(sessions.scopeId, scopeId), eq(sessions.externalId, externalId)))
  return row
}

/** Most recently active first. */
export function selectSessions(
  db: Database,
  owner: Owner,
  scopeId: string,
  page: { cursor: Cursor | undefined; limit: number },
) {
  const activity = sql<number>`(extract(epoch from ${sessions.lastActivityAt}) * 1000000)::bigint`.mapWith(Number)
  return db
    .select({
      id: sessions.id,
      externalId: sql<string>`${sessions.externalId}`,
      kind: sessions.kind,
      createdAt: sessions.createdAt,
      lastActivityAt: sessions.lastActivityAt,
      activity,
      // Written out: in a query on one table drizzle leaves the table off its columns.
      messageCount: sql<number>`(select count(*) from messages m where m.session_id = sessions.id)`.mapWith(Number),
      attachmentCount: sql<number>`(
        select count(*) from messages m join attachments a on a.message_id = m.id and a.state = 'stored'
        where m.session_id = sessions.id)`.mapWith(Number),
      pendingMessages: sql<number>`(
        select count(*) from messages m where m.session_id = sessions.id
        and m.upstream_timestamp > sessions.extracted_through)`.mapWith(Number),
    })
    .from(sessions)
    .where(
      and(
        eq(sessions.userId, owner.userId),
        eq(sessions.scopeId, scopeId),
        isNull(sessions.deletedAt),
        page.cursor && sql`(${activity}, ${sessions.id}) < (${page.cursor.sort}::bigint, ${page.cursor.id})`,
      ),
    )
    .orderBy(desc(sessions.lastActivityAt), desc(sessions.id))
    .limit(page.limit)
}

/** In the order in which the backend gets them. */
export async function selectMessages(
  db: Database,
  owner: Owner,
  sessionId: string,
  page: { cursor: Cursor | undefined; limit: number },
) {
  const sizes = await db
    .select({ id: messages.id, size: messageSize })
    .from(messages)
    .where(
      and(
        eq(messages.userId, owner.userId),
        eq(messages.sessionId, sessionId),
        page.cursor &&
          sql`(${messages.upstreamTimestamp}, ${messages.id}) > (${page.cursor.sort}::bigint, ${page.cursor.id})`,
      ),
    )
    .orderBy(asc(messages.upstreamTimestamp), asc(messages.id))
    .limit(page.limit + 1)
  const ids = fittingIds(sizes.slice(0, page.limit))
  const rows = await db
    .select({ message: messages, state: batches.state, reason: batches.reason })
    .from(messages)
    .innerJoin(batches, eq(batches.id, messages.batchId))
    .where(and(eq(messages.userId, owner.userId), inArray(messages.id, ids)))
    .orderBy(asc(messages.upstreamTimestamp), asc(messages.id))
  return { rows, isLast: ids.length === sizes.length }
}

/**
 * How much of a page a message takes, told without reading its text: its tokens, or the bytes that are stored of it, whichever is less. Both
 * stand for 128 characters at most, so that a page has some megabytes of usual text, and 60 of the emptiest.
 */
export const messageSize = sql<number>`least(${messages.tokens}, pg_column_size(${messages.content}) + coalesce(pg_column_size(${messages.toolCalls}), 0))::int`
/** Of the messages of one page together, but for the last of them. */
const PAGE_SIZE = 500_000

/** The ids of those that fit into one page, in their order: one at least. */
export function fittingIds(sizes: readonly { readonly id: string; readonly size: number }[]): string[] {
  let left = PAGE_SIZE
  const end = sizes.findIndex(({ size }) => {
    const isFull = left <= 0
    left -= size
    return isFull
  })
  return (end === -1 ? sizes : sizes.slice(0, end)).map(({ id }) => id)
}

/** Every transaction that touches a session's rows locks the session first: so none waits for another in a circle. */
export async function lockSessionRow(tx: Database, sessionId: string): Promise<void> {
  await tx.select({ id: sessions.id }).from(sessions).where(eq(sessions.id, sessionId)).for('update')
}

/** Their messages go with them; their attachments must be cut loose before. */
export async function deleteBatches(tx: Database, owner: Owner, batchIds: readonly string[]): Promise<void> {
  if (batchIds.length === 0) return
  await tx.delete(batches).where(and(eq(batches.userId, owner.userId), inArray(batches.id, [...batchIds])))
}

/** Removes a session that holds nothing (any more). Lock its row in a statement before: this one must see what others committed until then. */
export async function deleteEmptySession(tx: Database, owner: Owner, sessionId: string): Promise<void> {
  await tx
    .delete(sessions)
    .where(
      and(
        eq(sessions.userId, owner.userId),
        eq(sessions.id, sessionId),
        eq(sessions.extractedThrough, 0),
        sql`not exists (select from ${batches} where ${batches.sessionId} = ${sessions.id})`,
      ),
    )
}

/** System scope: the session's messages before `position` that were relayed since its last flush, in their order. */
export function selectUnflushed(
  db: Database,
  sessionId: string,
  position: number,
): Promise<{ batchId: string; upstreamTimestamp: number }[]> {
  const lastFlush = db
    .select({ position: max(batches.position) })
    .from(batches)
    .where(and(eq(batches.sessionId, sessionId), eq(batches.action, 'flush'), eq(batches.state, 'relayed')))
  return db
    .select({ batchId: messages.batchId, upstreamTimestamp: messages.upstreamTimestamp })
    .from(messages)
    .innerJoin(batches, eq(batches.id, messages.batchId))
    .where(
      and(
        eq(messages.sessionId, sessionId),
        eq(batches.state, 'relayed'),
        lt(batches.position, position),
        gt(messages.upstreamTimestamp, sql`coalesce((${lastFlush}), 0)`),
      ),
    )
    .orderBy(asc(messages.upstreamTimestamp))
}
