import { and, desc, eq, isNull, lt, type SQL, sql } from 'drizzle-orm'
import { type Database, preparedOn } from '../../db/database.ts'
import { keptRow } from '../../db/kept-rows.ts'
import { accounts } from '../../db/schema/accounts.ts'
import { adminKeys } from '../../db/schema/admin-keys.ts'
import { apiKeys } from '../../db/schema/api-keys.ts'
import type { Cursor } from '../cursor.ts'
import { isCleanText } from '../text-schemas.ts'
import type { KeyRealm } from './key-realm.ts'

export type ApiKeyRow = typeof apiKeys.$inferSelect

const apiKeyByHash = preparedOn((db) =>
  db
    .select({
      keyId: apiKeys.id,
      accountId: apiKeys.accountId,
      projectId: apiKeys.projectId,
      scopes: apiKeys.scopes,
      keyPlan: apiKeys.plan,
      accountPlan: accounts.plan,
      // It may expire, and is to be touched again.
      keptUntil: sql`least(${apiKeys.expiresAt}, ${apiKeys.lastUsedAt} + interval '1 minute')`.mapWith(
        apiKeys.expiresAt,
      ),
      isStale: sql<boolean>`coalesce(${apiKeys.lastUsedAt} < now() - interval '1 minute', true)`,
    })
    .from(apiKeys)
    .innerJoin(accounts, eq(accounts.id, apiKeys.accountId))
    .where(
      and(
        eq(apiKeys.hash, sql.placeholder('hash')),
        isNull(apiKeys.revokedAt),
        sql`(${apiKeys.expiresAt} is null or ${apiKeys.expiresAt} > now())`,
      ),
    )
    .prepare('api_key_by_hash'),
)

/** The key of that hash, if it is one, and is neither revoked nor expired. */
export function findApiKey(db: Database, hash: string) {
  return keptRow(db, `api_key ${hash}`, async () => (await apiKeyByHash(db).execute({ hash }))[0])
}

export async function touchApiKey(db: Database, keyId: string): Promise<void> {
  await db.update(apiKeys).set({ lastUsedAt: sql`now()` }).where(eq(apiKeys.id, keyId))
}

export type AccountRow = typeof accounts.$inferSelect

export async function insertAccount(
  tx: Database,
  account: Pick<AccountRow, 'id' | 'name' | 'plan'>,
): Promise<AccountRow> {
  const [row] = await tx.insert(accounts).values(account).returning()
  if (!row) throw new Error('The account was not inserted.')
  return row
}

export async function findAccount(db: Database, accountId: string): Promise<AccountRow | undefined> {
  const [row] = await db.select().from(accounts).where(eq(accounts.id, accountId))
  return row
}

export async function insertApiKey(tx: Database, key: typeof apiKeys.$inferInsert): Promise<ApiKeyRow> {
  const [row] = await tx.insert(apiKeys).values(key).returning()
  if (!row) throw new Error('The key was not inserted.')
  return row
}

interface Page {
  readonly cursor: Cursor | undefined
  readonly limit: number
}

/** System scope: newest first. */
export function selectAccounts(
  db: Database,
  name: string | undefined,
  { cursor, limit }: Page,
): Promise<(AccountRow & { createdMicros: number })[]> {
  const createdMicros = sql<number>`(extract(epoch from ${accounts.createdAt}) * 1000000)::bigint`.mapWith(Number)
  return db
    .select({
      id: accounts.id,
      name: accounts.name,
      plan: accounts.plan,
      createdAt: accounts.createdAt,
      createdMicros,
    })
    .from(accounts)
    .where(
      and(
        name === undefined ? undefined : eq(accounts.name, name),
        cursor && sql`(${createdMicros}, ${accounts.id}) < (${cursor.sort}::bigint, ${cursor.id})`,
      ),
    )
    .orderBy(desc(createdMicros), desc(accounts.id))
    .limit(limit)
}

/** What is undefined stays as it is. Undefined if there is no such account. */
export async function updateAccountRow(
  tx: Database,
  accountId: string,
  changes: { name?: string | undefined; plan?: string | null | undefined },
): Promise<AccountRow | undefined> {
  const [row] = await tx.update(accounts).set(changes).where(eq(accounts.id, accountId)).returning()
  return row
}

function inRealm({ accountId, projectId }: KeyRealm): SQL | undefined {
  return and(eq(apiKeys.accountId, accountId), projectId === undefined ? undefined : eq(apiKeys.projectId, projectId))
}

/** Newest first. */
export function selectApiKeys(db: Database, realm: KeyRealm, { cursor, limit }: Page): Promise<ApiKeyRow[]> {
  return db
    .select()
    .from(apiKeys)
    .where(and(inRealm(realm), cursor && lt(apiKeys.number, cursor.sort)))
    .orderBy(desc(apiKeys.number))
    .limit(limit)
}

/** A key that is not revoked, locked until the transaction ends; `by` its id, or its number. */
export async function lockApiKey(
  tx: Database,
  realm: KeyRealm,
  by: string | number,
): Promise<(ApiKeyRow & { isExpired: boolean }) | undefined> {
  // What cannot be an id is no question for the database.
  if (typeof by === 'string' && !isCleanText(by)) return undefined
  const [row] = await tx
    .select({ key: apiKeys, isExpired: sql<boolean>`coalesce(${apiKeys.expiresAt} <= now(), false)` })
    .from(apiKeys)
    .where(
      and(
        inRealm(realm),
        isNull(apiKeys.revokedAt),
        typeof by === 'number' ? eq(apiKeys.number, by) : eq(apiKeys.id, by),
      ),
    )
    .for('update')
  return row && { ...row.key, isExpired: row.isExpired }
}

/** Revokes the key, or has it expire so soon. */
export async function endApiKey(
  tx: Database,
  key: Pick<ApiKeyRow, 'id' | 'accountId'>,
  when: 'now' | { afterSeconds: number },
): Promise<ApiKeyRow> {
  const change =
    when === 'now'
      ? { revokedAt: sql`now()` }
      : { expiresAt: sql`least(${apiKeys.expiresAt}, now() + ${when.afterSeconds} * interval '1 second')` }
  const [row] = await tx
    .update(apiKeys)
    .set(change)
    .where(and(eq(apiKeys.accountId, key.accountId), eq(apiKeys.id, key.id)))
    .returning()
  if (!row) throw new Error('The key was not there.')
  return row
}

/** Of the one row that there may be. */
const GENERATED = 'generated'

/** System scope: the hash of the generated admin key, if there is one. */
export async function findAdminKey(db: Database): Promise<string | undefined> {
  const [row] = await db.select({ hash: adminKeys.hash }).from(adminKeys).where(eq(adminKeys.id, GENERATED))
  return row?.hash
}

/** False if there is one already. */
export async function insertAdminKey(tx: Database, hash: string): Promise<boolean> {
  const rows = await tx
    .insert(adminKeys)
    .values({ id: GENERATED, hash })
    .onConflictDoNothing()
    .returning({ id: adminKeys.id })
  return rows.length > 0
}

export async function replaceAdminKey(tx: Database, hash: string): Promise<void> {
  await tx
    .insert(adminKeys)
    .values({ id: GENERATED, hash })
    .onConflictDoUpdate({ target: adminKeys.id, set: { hash, createdAt: sql`now()` } })
}
