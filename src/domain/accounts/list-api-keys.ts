import type { OperatorContext, ServiceContext } from '../context.ts'
import { decodeCursor, toPage } from '../cursor.ts'
import { parseInput } from '../parse-input.ts'
import { keyRealm, unknownAccount } from './key-realm.ts'
import { type ApiKeyRow, findAccount, selectApiKeys } from './queries.ts'
import { ListApiKeysInput } from './schemas.ts'

/**
 * The keys of an account, newest first, those that are revoked or expired too. `input`: `cursor`, and `limit` up to 200. `not_found` if there is no such
 * account.
 */
export async function listApiKeys(
  ctx: OperatorContext | ServiceContext,
  accountId: string,
  input: unknown = {},
): Promise<{ items: readonly ApiKeyRow[]; nextCursor: string | null }> {
  const { cursor, limit } = parseInput(ListApiKeysInput, input)
  const { db } = ctx.services
  const realm = keyRealm(ctx, accountId)
  if (!(await findAccount(db, accountId))) throw unknownAccount()
  const rows = await selectApiKeys(db, realm, { cursor: decodeCursor(cursor), limit: limit + 1 })
  return toPage(rows, limit, (last) => ({ sort: last.number, id: last.id }))
}
