import { and, asc, eq, inArray, type SQL } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { apiKeys } from '../../db/schema/api-keys.ts'
import type { KeyRealm } from './key-realm.ts'
import type { ApiKeyRow } from './queries.ts'

function isNumbered({ accountId, projectId }: KeyRealm, numbers: readonly number[]): SQL | undefined {
  return and(
    eq(apiKeys.accountId, accountId),
    projectId === undefined ? undefined : eq(apiKeys.projectId, projectId),
    inArray(apiKeys.number, [...numbers]),
  )
}

/** A key by its number, also one that is revoked or expired. */
export async function findApiKeyByNumber(
  db: Database,
  realm: KeyRealm,
  number: number,
): Promise<ApiKeyRow | undefined> {
  const [row] = await db
    .select()
    .from(apiKeys)
    .where(isNumbered(realm, [number]))
  return row
}

/** Those of them that there are, revoked ones too, locked in the order of their numbers until the transaction ends. */
export function lockApiKeysByNumber(tx: Database, realm: KeyRealm, numbers: readonly number[]): Promise<ApiKeyRow[]> {
  return tx.select().from(apiKeys).where(isNumbered(realm, numbers)).orderBy(asc(apiKeys.number)).for('update')
}
