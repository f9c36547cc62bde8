import type { OperatorContext } from '../context.ts'
import { decodeCursor, toPage } from '../cursor.ts'
import { parseInput } from '../parse-input.ts'
import { unknownAccount } from './key-realm.ts'
import { findAccount } from './queries.ts'
import { ListEndUsersInput } from './schemas.ts'
import { type EndUserRow, selectEndUsers } from './user-queries.ts'

/** The end users of an account, newest first, and in each project the owner of what belongs to none. `not_found` if there is no such account. */
export async function listEndUsers(
  ctx: OperatorContext,
  accountId: string,
  input: unknown,
): Promise<{ items: readonly EndUserRow[]; nextCursor: string | null }> {
  const { project_id: projectId, cursor, limit } = parseInput(ListEndUsersInput, input)
  const { db } = ctx.services
  if (!(await findAccount(db, accountId))) throw unknownAccount()
  const page = { cursor: decodeCursor(cursor), limit: limit + 1 }
  const rows = await selectEndUsers(db, { accountId, projectId }, page)
  return toPage(rows, limit, (last) => ({ sort: last.createdMicros, id: last.id }))
}
