import { and, asc, eq, gt, inArray, isNotNull, isNull, max, ne, or, sql } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { attachments } from '../../db/schema/attachments.ts'
import { batches } from '../../db/schema/batches.ts'
import { erasures, type LeftUpstream } from '../../db/schema/erasures.ts'
import { scopes } from '../../db/schema/scopes.ts'
import { sessions } from '../../db/schema/sessions.ts'
import { threads } from '../../db/schema/threads.ts'
import { userKeys } from '../../db/schema/user-keys.ts'
import { users } from '../../db/schema/users.ts'
import type { AttachmentRow } from '../attachments/queries.ts'
import type { Owner } from '../context.ts'
import type { Extent } from './measure-queries.ts'

export type ErasureRow = typeof erasures.$inferSelect
export type NewErasure = Pick<ErasureRow, 'id' | 'kind' | 'requestedBy' | keyof Extent>

export async function insertErasure(
  tx: Database,
  owner: Owner & { accountId: string },
  erasure: NewErasure,
): Promise<void> {
  await tx.insert(erasures).values({ ...erasure, accountId: owner.accountId, userId: owner.userId })
}

/** By its id alone, which is a secret of whoever asked for the erasure: its user may be gone. */
export async function findErasure(db: Database, id: string): Promise<ErasureRow | undefined> {
  const [row] = await db.select().from(erasures).where(eq(erasures.id, id))
  return row
}

/** All that follows is of the erasure itself: system scope, or a user who is being erased. */
export async function touchErasure(db: Database, id: string): Promise<void> {
  await db.update(erasures).set({ updatedAt: sql`now()` }).where(eq(erasures.id, id))
}

/** False if another process finished it: what that one left in the backend stays said. */
export async function finishErasure(tx: Database, id: string, leftUpstream: LeftUpstream[]): Promise<boolean> {
  const rows = await tx
    .update(erasures)
    .set({ leftUpstream, finishedAt: sql`now()`, updatedAt: sql`now()` })
    .where(and(eq(erasures.id, id), isNull(erasures.finishedAt)))
    .returning({ id: erasures.id })
  return rows.length > 0
}

export async function releaseErasedSessions(tx: Database, erasureId: string): Promise<void> {
  await tx.update(sessions).set({ erasureId: null }).where(eq(sessions.erasureId, erasureId))
}

/** Erasures that nobody worked on for so long. */
export async function selectStalledErasures(db: Database, olderThanMs: number, limit: number): Promise<string[]> {
  const rows = await db
    .select({ id: erasures.id })
    .from(erasures)
    .where(
      and(isNull(erasures.finishedAt), sql`${erasures.updatedAt} <= now() - ${olderThanMs} * interval '1 millisecond'`),
    )
    .orderBy(asc(erasures.updatedAt))
    .limit(limit)
  return rows.map(({ id }) => id)
}

/** Frees the session's name, and leaves its row to recognise what the backend may still hold. False if it is gone. */
export async function markSessionDeleted(
  tx: Database,
  owner: Owner,
  sessionId: string,
  erasureId: string,
): Promise<boolean> {
  const rows = await tx
    .update(sessions)
    .set({ externalId: null, deletedAt: sql`now()`, erasureId })
    .where(and(eq(sessions.userId, owner.userId), eq(sessions.id, sessionId), isNull(sessions.deletedAt)))
    .returning({ id: sessions.id })
  return rows.length > 0
}

/** The same for some sessions of a user; resolves with how many there were. */
export async function markSomeSessionsDeleted(
  db: Database,
  owner: Owner,
  erasureId: string,
  limit: number,
): Promise<number> {
  const some = db
    .select({ id: sessions.id })
    .from(sessions)
    .where(and(eq(sessions.userId, owner.userId), isNull(sessions.deletedAt)))
    .limit(limit)
  const rows = await db
    .update(sessions)
    .set({ externalId: null, deletedAt: sql`now()`, erasureId })
    .where(and(inArray(sessions.id, some), isNull(sessions.deletedAt)))
    .returning({ id: sessions.id })
  return rows.length
}

/** Locks some batches of a session: an attempt that begins at this moment either counts, or finds its batch gone. */
export async function lockSomeBatches(tx: Database, owner: Owner, sessionId: string, limit: number): Promise<string[]> {
  const rows = await tx
    .select({ id: batches.id })
    .from(batches)
    .where(and(eq(batches.userId, owner.userId), eq(batches.sessionId, sessionId)))
    .limit(limit)
    .for('update')
  return rows.map(({ id }) => id)
}

/** Keeps on the session until when the backend may be at work on the batches, which are about to go. */
export async function keepSettlesAt(tx: Database, sessionId: string, batchIds: readonly string[]): Promise<void> {
  const latest = tx
    .select({ at: max(batches.settlesAt) })
    .from(batches)
    .where(inArray(batches.id, [...batchIds]))
  await tx
    .update(sessions)
    .set({ settlesAt: sql`greatest(${sessions.settlesAt}, (${latest}))` })
    .where(eq(sessions.id, sessionId))
}

/** Whether someone relays a session of the erasure now, or the backend may still be at work on something of it. */
export async function isUnsettled(db: Database, erasureId: string): Promise<boolean> {
  const rows = await db
    .select({ id: sessions.id })
    .from(sessions)
    .where(
      and(
        eq(sessions.erasureId, erasureId),
        or(gt(sessions.settlesAt, sql`now()`), gt(sessions.relayLeaseUntil, sql`now()`)),
      ),
    )
    .limit(1)
  return rows.length > 0
}

export async function selectErasedSessions(db: Database, erasureId: string) {
  return db
    .select({
      id: sessions.id,
      projectId: scopes.upstreamProjectId,
      senderId: scopes.upstreamSenderId,
      upstreamSessionId: sessions.upstreamSessionId,
    })
    .from(sessions)
    .innerJoin(scopes, eq(scopes.id, sessions.scopeId))
    .where(eq(sessions.erasureId, erasureId))
}

/** Some sessions of the erasure that still have batches. */
export async function selectUnemptied(db: Database, { id, userId }: ErasureRow, limit: number): Promise<string[]> {
  const rows = await db
    .select({ id: sessions.id })
    .from(batches)
    .innerJoin(sessions, eq(sessions.id, batches.sessionId))
    .where(and(eq(batches.userId, userId), eq(sessions.erasureId, id)))
    .limit(limit)
  return [...new Set(rows.map((row) => row.id))]
}

export function selectErasedObjects(db: Database, erasureId: string, limit: number): Promise<AttachmentRow[]> {
  return db
    .select()
    .from(attachments)
    .where(and(eq(attachments.erasureId, erasureId), eq(attachments.state, 'deleting')))
    .orderBy(asc(attachments.updatedAt))
    .limit(limit)
}

/** A user by the name that the caller knows: native, or an end user in a project of an account. */
export interface NamedUser {
  readonly accountId: string
  readonly externalId: string
  readonly kind?: 'native' | 'end_user'
  readonly projectId?: string
}

/** The user, locked against everything that would store something for them; undefined if there is none. */
export async function lockUser(
  tx: Database,
  user: Owner | NamedUser,
): Promise<{ id: string; accountId: string; projectId: string } | undefined> {
  const isThem =
    'userId' in user
      ? eq(users.id, user.userId)
      : and(
          eq(users.accountId, user.accountId),
          eq(users.projectId, user.projectId ?? 'default'),
          eq(users.kind, user.kind ?? 'native'),
          eq(users.externalId, user.externalId),
        )
  const [row] = await tx
    .select({ id: users.id, accountId: users.accountId, projectId: users.projectId })
    .from(users)
    .where(and(isThem, isNull(users.erasedAt)))
    .for('update')
  return row
}

/** Frees the names, theirs and those of their threads, which no realm has any more; and kills the keys. */
export async function markUserErased(tx: Database, owner: Owner): Promise<void> {
  await tx
    .update(users)
    .set({ erasedAt: sql`now()`, externalId: `erased:${owner.userId}` })
    .where(eq(users.id, owner.userId))
  await tx
    .update(threads)
    .set({ realm: `erased:${owner.userId}` })
    .where(eq(threads.userId, owner.userId))
  await tx.delete(userKeys).where(eq(userKeys.userId, owner.userId))
}

/** Uploads that no process can be at any more. */
export async function selectReceiving(db: Database, owner: Owner, olderThanMs: number): Promise<string[]> {
  const rows = await db
    .select({ id: batches.id })
    .from(batches)
    .where(
      and(
        eq(batches.userId, owner.userId),
        eq(batches.state, 'receiving'),
        sql`${batches.updatedAt} <= now() - ${olderThanMs} * interval '1 millisecond'`,
      ),
    )
  return rows.map(({ id }) => id)
}

export function selectScopes(db: Database, owner: Owner) {
  return db
    .select({ projectId: scopes.upstreamProjectId, senderId: scopes.upstreamSenderId, ownerId: scopes.userId })
    .from(scopes)
    .where(eq(scopes.userId, owner.userId))
}

/** Whether rows of the user's name objects or batches still, or another erasure is at work on some. */
export async function isUserInUse(db: Database, { id, userId }: Pick<ErasureRow, 'id' | 'userId'>): Promise<boolean> {
  const [file] = await db
    .select({ id: attachments.id })
    .from(attachments)
    .where(eq(attachments.userId, userId))
    .limit(1)
  const [batch] = await db.select({ id: batches.id }).from(batches).where(eq(batches.userId, userId)).limit(1)
  const [other] = await db
    .select({ id: erasures.id })
    .from(erasures)
    .where(and(eq(erasures.userId, userId), isNull(erasures.finishedAt), ne(erasures.id, id)))
    .limit(1)
  return file !== undefined || batch !== undefined || other !== undefined
}

/** Deletes some sessions of a user; resolves with how many there were. The database refuses those that have batches. */
export async function deleteSomeSessions(db: Database, owner: Owner, limit: number): Promise<number> {
  const some = db.select({ id: sessions.id }).from(sessions).where(eq(sessions.userId, owner.userId)).limit(limit)
  const rows = await db.delete(sessions).where(inArray(sessions.id, some)).returning({ id: sessions.id })
  return rows.length
}

/** The last rows. The database refuses it as long as anything refers to them. */
export async function deleteUser(tx: Database, owner: Owner): Promise<void> {
  await tx.delete(scopes).where(eq(scopes.userId, owner.userId))
  await tx.delete(users).where(and(eq(users.id, owner.userId), isNotNull(users.erasedAt)))
}
