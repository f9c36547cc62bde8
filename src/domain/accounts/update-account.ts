import { inTransaction } from '../../db/database.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, nothingElse, type OperatorContext } from '../context.ts'
import { parseInput } from '../parse-input.ts'
import { unknownAccount } from './key-realm.ts'
import { type AccountRow, updateAccountRow } from './queries.ts'
import { requirePlan } from './require-plan.ts'
import { UpdateAccountInput } from './schemas.ts'

/** Changes name and plan; a plan of null: none. The new plan holds for the next request. `not_found` if there is no such account. */
export async function updateAccount(
  ctx: OperatorContext,
  accountId: string,
  input: unknown,
  also: AlsoStore<AccountRow> = nothingElse,
): Promise<AccountRow> {
  const changes = parseInput(UpdateAccountInput, input)
  requirePlan(ctx, changes.plan ?? null)
  return inTransaction(ctx.services.db, async (tx) => {
    const account = await updateAccountRow(tx, accountId, changes)
    if (!account) throw unknownAccount()
    await recordAudit(tx, ctx, { action: 'account.update', target: accountId })
    await also(tx, account)
    return account
  })
}
