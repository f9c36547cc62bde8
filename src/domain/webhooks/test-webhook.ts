import { inTransaction } from '../../db/database.ts'
import { type AlsoStore, nothingElse, type ServiceContext } from '../context.ts'
import { parseInput } from '../parse-input.ts'
import { type FoundDelivery, findDelivery } from './delivery-queries.ts'
import { storeDeliveries, toDelivery } from './emit-event.ts'
import { lockWebhook } from './queries.ts'
import { type EventType, TestWebhookInput } from './schemas.ts'
import { unknownDelivery, unknownWebhook, type WebhookScope, webhookPaused } from './webhook-scope.ts'

/** Has the webhook called with an event that did not happen, of the wanted type, whether or not it listens for that. `conflict` if it is paused. */
export async function testWebhook(
  ctx: ServiceContext,
  scope: WebhookScope,
  id: number,
  input: unknown,
  also: AlsoStore<FoundDelivery> = nothingElse,
): Promise<FoundDelivery> {
  const { event_type: type } = parseInput(TestWebhookInput, input)
  return inTransaction(ctx.services.db, async (tx) => {
    const webhook = await lockWebhook(tx, scope, id)
    if (!webhook) throw unknownWebhook()
    if (!webhook.enabled) throw webhookPaused()
    const place = { accountId: webhook.accountId, projectId: webhook.projectId }
    const row = toDelivery(place, { type, data: { test: true, ...SAMPLES[type] } }, undefined)
    const [deliveryId] = await storeDeliveries(tx, ctx, [{ ...row, webhookId: id }])
    const found = deliveryId === undefined ? undefined : await findDelivery(tx, scope, deliveryId)
    if (!found) throw unknownDelivery()
    await also(tx, found)
    return found
  })
}

const NONE = '00000000-0000-0000-0000-000000000000'
const memory = { id: 0, memory_id: NONE, memory_type: 'fact' }
const key = { id: 0, key_id: 'key_test', name: 'Test', prefix: 'mgk_live_test', scopes: ['read'] }

const SAMPLES: Readonly<Record<EventType, Readonly<Record<string, unknown>>>> = {
  'memory.created': { ...memory, text: 'This is a test.', tags: [], metadata: {} },
  'memory.updated': { ...memory, text: 'This is a test.', tags: [], metadata: {} },
  'memory.deleted': { ...memory, reason: 'deleted' },
  'memory.queried': { query: 'test', limit: 5, count: 0, ids: [], memory_ids: [] },
  'api_key.created': key,
  'api_key.revoked': key,
  'api.rate_limited': { key_id: 'key_test', metric: 'requests', period: 'minute', limit: 60, retry_after_seconds: 1 },
}
