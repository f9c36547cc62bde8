import { inTransaction } from '../../db/database.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, nothingElse, type ServiceContext } from '../context.ts'
import { deleteWebhookRow } from './queries.ts'
import { unknownWebhook, type WebhookScope } from './webhook-scope.ts'

/** Deletes a webhook with its log; an attempt that is under way ends. `not_found` for one that is not in the scope. */
export async function deleteWebhook(
  ctx: ServiceContext,
  scope: WebhookScope,
  id: number,
  also: AlsoStore<number> = nothingElse,
): Promise<void> {
  await inTransaction(ctx.services.db, async (tx) => {
    if (!(await deleteWebhookRow(tx, scope, id))) throw unknownWebhook()
    await recordAudit(tx, ctx, { action: 'webhook.delete', target: String(id) })
    await also(tx, id)
  })
}
