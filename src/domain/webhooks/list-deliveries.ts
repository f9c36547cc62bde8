import type { SystemContext } from '../context.ts'
import { countDeliveries, type FoundDelivery, findDelivery, selectDeliveries } from './delivery-queries.ts'
import { statesOf } from './delivery-status.ts'
import { findWebhook } from './queries.ts'
import type { StatusFilter } from './schemas.ts'
import { unknownDelivery, unknownWebhook, type WebhookScope } from './webhook-scope.ts'

export interface DeliveryPage {
  /** From 1. */
  readonly page: number
  /** 1..100 */
  readonly pageSize: number
  readonly webhookId?: number | undefined
  readonly status?: StatusFilter | undefined
}

/** Newest first, of one webhook or of all in the scope. `not_found` for a webhook that is not in it. */
export async function listDeliveries(
  ctx: SystemContext,
  scope: WebhookScope,
  { page, pageSize, webhookId, status }: DeliveryPage,
): Promise<{ deliveries: readonly FoundDelivery[]; total: number }> {
  const { db } = ctx.services
  if (webhookId !== undefined && !(await findWebhook(db, scope, webhookId))) throw unknownWebhook()
  const filter = { webhookId, states: status && statesOf([status]) }
  const deliveries = await selectDeliveries(db, scope, filter, { limit: pageSize, offset: (page - 1) * pageSize })
  return { deliveries, total: await countDeliveries(db, scope, filter) }
}

/** Undefined if there was none yet. */
export async function getLatestDelivery(
  ctx: SystemContext,
  scope: WebhookScope,
  webhookId: number,
): Promise<FoundDelivery | undefined> {
  const { db } = ctx.services
  if (!(await findWebhook(db, scope, webhookId))) throw unknownWebhook()
  const [latest] = await selectDeliveries(db, scope, { webhookId }, { limit: 1, offset: 0 })
  return latest
}

export async function getDelivery(ctx: SystemContext, scope: WebhookScope, id: number): Promise<FoundDelivery> {
  const found = await findDelivery(ctx.services.db, scope, id)
  if (!found) throw unknownDelivery()
  return found
}
