import { type Database, inTransaction } from '../../db/database.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, nothingElse, type ServiceContext } from '../context.ts'
import { parseInput } from '../parse-input.ts'
import { selectOpen } from './delivery-queries.ts'
import { toJob } from './emit-event.ts'
import { lockWebhook, type NewWebhookRow, updateWebhookRow, type WebhookRow } from './queries.ts'
import { UpdateWebhookInput } from './schemas.ts'
import { requireCallable, requireTwoHeaders, settingsColumns } from './settings-columns.ts'
import { unknownWebhook, type WebhookScope } from './webhook-scope.ts'
import { createWebhookSecret } from './webhook-secret.ts'

const PAGE = 1_000

/** Changes what is given; of `retry_config` and `signature_config`, what they have. Deliveries that wait are made by the new settings. */
export async function updateWebhook(
  ctx: ServiceContext,
  scope: WebhookScope,
  id: number,
  input: unknown,
  also: AlsoStore<WebhookRow> = nothingElse,
): Promise<WebhookRow> {
  const given = parseInput(UpdateWebhookInput, input)
  if (given.url !== undefined) requireCallable(ctx, given.url)
  const { name, url, events, description } = given
  const plain = Object.fromEntries(
    Object.entries({ name, url, events, description }).filter(([, value]) => value !== undefined),
  )
  return change(ctx, scope, id, { ...plain, ...settingsColumns(given) }, also)
}

/** What happens from now on is not told. Deliveries that wait keep waiting. */
export function pauseWebhook(
  ctx: ServiceContext,
  scope: WebhookScope,
  id: number,
  also: AlsoStore<WebhookRow> = nothingElse,
): Promise<WebhookRow> {
  return change(ctx, scope, id, { enabled: false }, also)
}

/** Goes on, with the deliveries that waited as well. */
export function resumeWebhook(
  ctx: ServiceContext,
  scope: WebhookScope,
  id: number,
  also: AlsoStore<WebhookRow> = nothingElse,
): Promise<WebhookRow> {
  return change(ctx, scope, id, { enabled: true }, also, async (tx) => {
    let after = 0
    for (;;) {
      const page = await selectOpen(tx, id, after, PAGE)
      await ctx.services.jobs.enqueueAll(
        tx,
        page.map((delivery) => toJob({ id: delivery, webhookId: id })),
      )
      const last = page.at(-1)
      if (last === undefined || page.length < PAGE) return
      after = last
    }
  })
}

/** A new secret, by which every attempt from now on is signed; the old one is worth nothing. */
export function rotateWebhookSecret(
  ctx: ServiceContext,
  scope: WebhookScope,
  id: number,
  also: AlsoStore<WebhookRow> = nothingElse,
): Promise<WebhookRow> {
  return change(ctx, scope, id, { secret: createWebhookSecret() }, also)
}

/** `not_found` for one that is not in the scope. */
async function change(
  ctx: ServiceContext,
  scope: WebhookScope,
  id: number,
  columns: Partial<NewWebhookRow>,
  also: AlsoStore<WebhookRow>,
  afterwards: (tx: Database) => Promise<void> = async () => {},
): Promise<WebhookRow> {
  return inTransaction(ctx.services.db, async (tx) => {
    if (!(await lockWebhook(tx, scope, id))) throw unknownWebhook()
    const webhook = await updateWebhookRow(tx, scope, id, columns)
    requireTwoHeaders(webhook)
    await afterwards(tx)
    await recordAudit(tx, ctx, { action: 'webhook.update', target: String(id) })
    await also(tx, webhook)
    return webhook
  })
}
