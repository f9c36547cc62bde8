import { and, asc, eq, inArray, isNull, type Placeholder, sql } from 'drizzle-orm'
import { type Database, preparedOn } from '../../db/database.ts'
import { keptRow } from '../../db/kept-rows.ts'
import { userKeys } from '../../db/schema/user-keys.ts'
import { type UserKind, users } from '../../db/schema/users.ts'
import type { Owner } from '../context.ts'

export type UserRow = typeof users.$inferSelect
export type UserKeyRow = typeof userKeys.$inferSelect
type NewKey = Pick<UserKeyRow, 'id' | 'hash' | 'prefix'>

/**
 * The owner's id as a value to insert: null, which is refused, if they are erased. Locks them as a foreign key does, so that an erasure
 * waits for this transaction, or this one for it.
 */
export function idUnlessErased(owner: Owner | { readonly userId: Placeholder }) {
  return sql<string>`(select id from users where id = ${owner.userId} and erased_at is null for key share)`
}

/** Undefined if there is a user of that name already. Run it in a transaction. */
export async function insertUser(
  tx: Database,
  user: { id: string; accountId: string; projectId?: string; kind?: UserKind; externalId: string },
): Promise<UserRow | undefined> {
  const [row] = await tx.insert(users).values(user).onConflictDoNothing().returning()
  return row
}

export async function insertUserKey(db: Database, owner: Owner, key: NewKey): Promise<UserKeyRow> {
  const [row] = await db
    .insert(userKeys)
    .values({ ...key, userId: idUnlessErased(owner) })
    .returning()
  if (!row) throw new Error('The key was not inserted.')
  return row
}

const keyByHash = preparedOn((db) =>
  db
    .select({
      keyId: userKeys.id,
      userId: users.id,
      accountId: users.accountId,
      externalUserId: users.externalId,
      // It may expire, and is to be touched again.
      keptUntil: sql`least(${userKeys.expiresAt}, ${userKeys.lastUsedAt} + interval '1 minute')`.mapWith(
        userKeys.expiresAt,
      ),
      isStale: sql<boolean>`coalesce(${userKeys.lastUsedAt} < now() - interval '1 minute', true)`,
    })
    .from(userKeys)
    .innerJoin(users, eq(users.id, userKeys.userId))
    .where(
      and(
        eq(userKeys.hash, sql.placeholder('hash')),
        isNull(users.erasedAt),
        isNull(userKeys.revokedAt),
        sql`(${userKeys.expiresAt} is null or ${userKeys.expiresAt} > now())`,
      ),
    )
    .prepare('key_by_hash'),
)

/** Whose key this is, if it is one, and is neither revoked nor expired. */
export function findKeyHolder(db: Database, hash: string) {
  return keptRow(db, `user_key ${hash}`, async () => (await keyByHash(db).execute({ hash }))[0])
}

/** The user's valid keys. Holds the user's row until the transaction ends, so that two counts come one after the other. */
export async function countUserKeys(tx: Database, owner: Owner): Promise<number> {
  await tx.select({ id: users.id }).from(users).where(eq(users.id, owner.userId)).for('no key update')
  return tx.$count(
    userKeys,
    and(
      eq(userKeys.userId, owner.userId),
      isNull(userKeys.revokedAt),
      sql`(${userKeys.expiresAt} is null or ${userKeys.expiresAt} > now())`,
    ),
  )
}

export async function touchUserKey(db: Database, owner: Owner, keyId: string): Promise<void> {
  await db
    .update(userKeys)
    .set({ lastUsedAt: sql`now()` })
    .where(and(eq(userKeys.userId, owner.userId), eq(userKeys.id, keyId)))
}

export function selectUserKeys(db: Database, owner: Owner): Promise<UserKeyRow[]> {
  return db
    .select()
    .from(userKeys)
    .where(and(eq(userKeys.userId, owner.userId), isNull(userKeys.revokedAt)))
    .orderBy(asc(userKeys.createdAt), asc(userKeys.id))
}

/** False if the user has no such key, or it is revoked already. */
export async function markKeyRevoked(db: Database, owner: Owner, keyId: string): Promise<boolean> {
  const rows = await db
    .update(userKeys)
    .set({ revokedAt: sql`now()` })
    .where(and(eq(userKeys.userId, owner.userId), eq(userKeys.id, keyId), isNull(userKeys.revokedAt)))
    .returning({ id: userKeys.id })
  return rows.length > 0
}

const userByName = preparedOn((db) =>
  db
    .select()
    .from(users)
    .where(
      and(
        eq(users.accountId, sql.placeholder('accountId')),
        eq(users.projectId, sql.placeholder('projectId')),
        eq(users.kind, sql.placeholder('kind')),
        eq(users.externalId, sql.placeholder('externalId')),
        isNull(users.erasedAt),
      ),
    )
    .prepare('user_by_name'),
)

/** The end user of that name in the project; without a name, the owner of what belongs to none. */
export async function findEndUser(
  db: Database,
  { accountId, projectId }: { accountId: string; projectId: string },
  externalId: string | undefined,
): Promise<UserRow | undefined> {
  const kind = externalId === undefined ? 'owner' : 'end_user'
  const place = { accountId, projectId, kind, externalId: externalId ?? '' }
  return keptRow(db, `user ${JSON.stringify(place)}`, async () => (await userByName(db).execute(place))[0])
}

/** Of users of a project who are not erased. */
export function selectUserNames(
  db: Database,
  place: { accountId: string; projectId: string },
  ids: readonly string[],
): Promise<Pick<UserRow, 'id' | 'kind' | 'externalId'>[]> {
  if (ids.length === 0) return Promise.resolve([])
  return db
    .select({ id: users.id, kind: users.kind, externalId: users.externalId })
    .from(users)
    .where(
      and(
        eq(users.accountId, place.accountId),
        eq(users.projectId, place.projectId),
        inArray(users.id, [...ids]),
        isNull(users.erasedAt),
      ),
    )
}

/** The name by which the caller knows a user of theirs; empty for one who has none. */
export async function externalIdOf(db: Database, owner: Owner): Promise<string> {
  const [row] = await db.select({ externalId: users.externalId }).from(users).where(eq(users.id, owner.userId))
  return row?.externalId ?? ''
}
