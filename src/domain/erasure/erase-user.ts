import { inTransaction } from '../../db/database.ts'
import { step } from '../../observability/steps.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, type Context, nothingElse, type SystemContext } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { eraseAnswersOfProject, eraseAnswersOfUser } from '../idempotency/queries.ts'
import { createId } from '../ids.ts'
import { leaveRealm } from '../threads/queries.ts'
import { measureUser } from './measure-queries.ts'
import { insertErasure, lockUser, markUserErased, type NamedUser } from './queries.ts'

/**
 * Erases a user: from the commit on their keys are dead and all that was theirs is hidden; a job removes it. The name is free for
 * somebody new. Uploads under way are refused at their end. Resolves with the id of the receipt. `not_found` if there is no such user.
 */
export async function eraseUser(
  ctx: SystemContext | Context,
  user: NamedUser,
  also: AlsoStore<string> = nothingElse,
): Promise<string> {
  const erasureId = createId('era')
  await inTransaction(ctx.services.db, async (tx) => {
    // A caller is whom the key names: somebody new may have their name by now.
    const found = await lockUser(tx, 'caller' in ctx ? ctx.caller : user)
    if (!found) throw new GatewayError('not_found', 'There is no such user.')
    const owner = { accountId: found.accountId, userId: found.id }
    const extent = await measureUser(tx, owner)
    await markUserErased(tx, owner)
    await leaveRealm(tx, owner)
    await eraseAnswersOfUser(tx, owner)
    await eraseAnswersOfProject(tx, found)
    const requestedBy = 'caller' in ctx ? 'user' : 'admin'
    await insertErasure(tx, owner, { id: erasureId, kind: 'user', requestedBy, ...extent })
    await recordAudit(tx, ctx, { action: 'user.erase', target: owner.userId, bytes: extent.bytes })
    await ctx.services.jobs.enqueue(tx, { name: 'erase', erasureId })
    await also(tx, erasureId)
  })
  step('user-erased')
  return erasureId
}
