import { inTransaction } from '../../db/database.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, nothingElse, type OperatorContext } from '../context.ts'
import { createId } from '../ids.ts'
import { parseInput } from '../parse-input.ts'
import { type AccountRow, insertAccount } from './queries.ts'
import { requirePlan } from './require-plan.ts'
import { CreateAccountInput } from './schemas.ts'

/** Creates an account. Names are labels: two accounts may have the same. `invalid_request` for an unknown plan. */
export async function createAccount(
  ctx: OperatorContext,
  input: unknown,
  also: AlsoStore<AccountRow> = nothingElse,
): Promise<AccountRow> {
  const { name, plan = null } = parseInput(CreateAccountInput, input)
  requirePlan(ctx, plan)
  return inTransaction(ctx.services.db, async (tx) => {
    const account = await insertAccount(tx, { id: createId('acc'), name, plan })
    await recordAudit(tx, ctx, { action: 'account.create', target: account.id })
    await also(tx, account)
    return account
  })
}
