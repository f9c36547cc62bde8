import { and, asc, count, desc, eq, inArray, isNull, ne, sql } from 'drizzle-orm'
import { type Database, preparedOn } from '../../db/database.ts'
import { batches } from '../../db/schema/batches.ts'
import { messages } from '../../db/schema/messages.ts'
import { sessions } from '../../db/schema/sessions.ts'
import { threads } from '../../db/schema/threads.ts'
import { users } from '../../db/schema/users.ts'
import type { Owner } from '../context.ts'
import { fittingIds, type MessageRow, messageSize } from '../sessions/queries.ts'
import { idUnlessErased } from '../users/queries.ts'
import type { ThreadPage } from './schemas.ts'
import type { RealmContext, ThreadContext, ThreadRow } from './thread-context.ts'

const threadByName = preparedOn((db) =>
  db
    .select()
    .from(threads)
    .where(and(eq(threads.realm, sql.placeholder('realm')), eq(threads.externalId, sql.placeholder('externalId'))))
    .prepare('thread_by_name'),
)

export async function findThreadRow(db: Database, realm: string, externalId: string): Promise<ThreadRow | undefined> {
  const [row] = await threadByName(db).execute({ realm, externalId })
  return row
}

/** Undefined if the realm has a thread of that name already. */
export async function insertThread(
  db: Database,
  ctx: Pick<ThreadContext, 'caller' | 'realm'>,
  thread: Pick<ThreadRow, 'id' | 'externalId'> & Partial<Pick<ThreadRow, 'title' | 'metadata'>>,
): Promise<ThreadRow | undefined> {
  const [row] = await db
    .insert(threads)
    .values({ ...thread, realm: ctx.realm, userId: idUnlessErased(ctx.caller) })
    .onConflictDoNothing({ target: [threads.realm, threads.externalId] })
    .returning()
  return row
}

/**
 * Locks a thread, so that its deletion waits for this transaction; undefined if it is gone. Its user is locked before it, here as below: the
 * same order as in their erasure.
 */
export async function lockThread(
  tx: Database,
  owner: Owner,
  id: string,
  strength: 'update' | 'share' = 'update',
): Promise<ThreadRow | undefined> {
  const [row] = await tx
    .select()
    .from(threads)
    .where(and(eq(threads.userId, idUnlessErased(owner)), eq(threads.id, id)))
    .for(strength)
  return row
}

export async function changeThread(
  tx: Database,
  owner: Owner,
  id: string,
  change: Partial<Pick<ThreadRow, 'title' | 'metadata' | 'sessionId'>>,
): Promise<ThreadRow | undefined> {
  const [row] = await tx
    .update(threads)
    .set({ ...change, updatedAt: sql`now()` })
    .where(and(eq(threads.userId, idUnlessErased(owner)), eq(threads.id, id)))
    .returning()
  return row
}

export async function deleteThreadRow(tx: Database, owner: Owner, id: string): Promise<void> {
  await tx.delete(threads).where(and(eq(threads.userId, owner.userId), eq(threads.id, id)))
}

/** Takes the threads of a user who is erased out of their realm: nobody finds them any more, and their names are free. */
export async function leaveRealm(tx: Database, { userId }: Owner): Promise<void> {
  await tx
    .update(threads)
    .set({ realm: `erased:${userId}` })
    .where(eq(threads.userId, userId))
}

/** Newest change first; of one resource, or of all of the realm. */
export async function selectThreads(
  db: Database,
  ctx: Pick<RealmContext, 'realm'>,
  userId: string | undefined,
  { limit, offset }: ThreadPage,
): Promise<{ threads: ThreadRow[]; total: number }> {
  const isMeant = and(eq(threads.realm, ctx.realm), userId === undefined ? undefined : eq(threads.userId, userId))
  const rows = await db
    .select()
    .from(threads)
    .where(isMeant)
    .orderBy(desc(threads.updatedAt), desc(threads.id))
    .limit(limit)
    .offset(offset)
  const [all] = await db.select({ n: count() }).from(threads).where(isMeant)
  return { threads: rows, total: all?.n ?? 0 }
}

/** By our ids of users: the names by which their applications know them. */
export async function selectResourceNames(
  db: Database,
  { realm }: Pick<RealmContext, 'realm'>,
  userIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (userIds.length === 0) return new Map()
  const rows = await db
    .selectDistinct({ id: users.id, externalId: users.externalId })
    .from(users)
    .innerJoin(threads, eq(threads.userId, users.id))
    .where(and(eq(threads.realm, realm), sql`${users.id} = any(${`{${userIds.join(',')}}`}::text[])`))
  return new Map(rows.map(({ id, externalId }) => [id, externalId]))
}

/** A page of the messages of a thread's session; of very long ones fewer than `limit`. */
export async function selectThreadMessages(
  db: Database,
  owner: Owner,
  sessionId: string,
  { limit, offset, order }: ThreadPage & { readonly order: 'asc' | 'desc' },
): Promise<{ messages: MessageRow[]; total: number }> {
  const isOfThread = and(eq(messages.userId, owner.userId), eq(messages.sessionId, sessionId))
  const direction = order === 'asc' ? asc : desc
  const sizes = await db
    .select({ id: messages.id, size: messageSize })
    .from(messages)
    .where(isOfThread)
    .orderBy(direction(messages.upstreamTimestamp))
    .limit(limit)
    .offset(offset)
  const rows = await db
    .select()
    .from(messages)
    .where(and(isOfThread, inArray(messages.id, fittingIds(sizes))))
    .orderBy(direction(messages.upstreamTimestamp))
  return { messages: rows, total: await db.$count(messages, isOfThread) }
}

/** Whether batches of an earlier attempt came to be. Those that only wait for their files have not. */
export async function areStored(tx: Database, owner: Owner, batchIds: readonly string[]): Promise<boolean> {
  const rows = await tx
    .select({ id: batches.id })
    .from(batches)
    .where(and(eq(batches.userId, owner.userId), inArray(batches.id, [...batchIds]), ne(batches.state, 'receiving')))
    .limit(1)
  return rows.length > 0
}

/** System scope: a live session, locked; whether nothing was added to it for so long, and whether anything was since its last flush. */
export async function lockQuietSession(tx: Database, sessionId: string, quietSeconds: number) {
  const [session] = await tx
    .select({
      userId: sessions.userId,
      lastUpstreamTimestamp: sessions.lastUpstreamTimestamp,
      isQuiet: sql<boolean>`${sessions.lastActivityAt} <= now() - ${quietSeconds} * interval '1 second'`,
    })
    .from(sessions)
    .where(and(eq(sessions.id, sessionId), isNull(sessions.deletedAt)))
    .for('update')
  if (!session) return undefined
  const [last] = await tx
    .select({ action: batches.action })
    .from(batches)
    .where(eq(batches.sessionId, sessionId))
    .orderBy(desc(batches.position))
    .limit(1)
  return { ...session, isUnflushed: last?.action === 'add' }
}
