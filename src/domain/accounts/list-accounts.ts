import type { OperatorContext } from '../context.ts'
import { decodeCursor, toPage } from '../cursor.ts'
import { parseInput } from '../parse-input.ts'
import { unknownAccount } from './key-realm.ts'
import { type AccountRow, findAccount, selectAccounts } from './queries.ts'
import { ListAccountsInput } from './schemas.ts'

/** Accounts, newest first; those of one name, if it is given. */
export async function listAccounts(
  ctx: OperatorContext,
  input: unknown,
): Promise<{ items: readonly AccountRow[]; nextCursor: string | null }> {
  const { name, cursor, limit } = parseInput(ListAccountsInput, input)
  const rows = await selectAccounts(ctx.services.db, name, { cursor: decodeCursor(cursor), limit: limit + 1 })
  return toPage(rows, limit, (last) => ({ sort: last.createdMicros, id: last.id }))
}

/** `not_found` if there is none of that id. */
export async function getAccount(ctx: OperatorContext, accountId: string): Promise<AccountRow> {
  const account = await findAccount(ctx.services.db, accountId)
  if (!account) throw unknownAccount()
  return account
}
