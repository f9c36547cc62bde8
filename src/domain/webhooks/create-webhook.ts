import { inTransaction } from '../../db/database.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, nothingElse, type ServiceContext } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { parseInput } from '../parse-input.ts'
import { countWebhooks, insertWebhook, type WebhookRow } from './queries.ts'
import { CreateWebhookInput, defaultRetries, defaultSignature, MAX_WEBHOOKS } from './schemas.ts'
import { requireCallable, requireTwoHeaders, settingsColumns } from './settings-columns.ts'
import type { WebhookScope } from './webhook-scope.ts'
import { createWebhookSecret } from './webhook-secret.ts'

/**
 * A webhook of the scope's project, or of the one that the input names, or of the whole account. Its secret is in the result. `forbidden` for
 * another project than the scope's, `conflict` if the account has too many.
 */
export async function createWebhook(
  ctx: ServiceContext,
  scope: WebhookScope,
  input: unknown,
  also: AlsoStore<WebhookRow> = nothingElse,
): Promise<WebhookRow> {
  const given = parseInput(CreateWebhookInput, input)
  requireCallable(ctx, given.url)
  const named = given.project_id ?? undefined
  if (scope.projectId !== undefined && named !== undefined && named !== scope.projectId) {
    throw new GatewayError('forbidden', 'project_id names another project than the request works in.')
  }
  const row = {
    signatureAlgorithm: defaultSignature.algorithm,
    signatureHeader: defaultSignature.header_name,
    timestampHeader: defaultSignature.timestamp_header,
    signatureTolerance: defaultSignature.tolerance_seconds,
    retryEnabled: defaultRetries.enabled,
    maxRetries: defaultRetries.max_retries,
    initialDelay: defaultRetries.initial_delay_seconds,
    maxDelay: defaultRetries.max_delay_seconds,
    backoffMultiplier: defaultRetries.backoff_multiplier,
    retryStatusCodes: [...defaultRetries.retry_status_codes],
    ...settingsColumns(given),
    accountId: scope.accountId,
    projectId: scope.projectId ?? named ?? null,
    name: given.name,
    url: given.url,
    description: given.description ?? null,
    events: given.events,
    secret: createWebhookSecret(),
    createdBy: ctx.service.keyId,
  }
  requireTwoHeaders(row)
  return inTransaction(ctx.services.db, async (tx) => {
    const count = await countWebhooks(tx, scope.accountId)
    if (count >= MAX_WEBHOOKS) {
      throw new GatewayError('conflict', `The account has ${count} webhooks, the most it may have. Delete one.`, {
        details: { max_webhooks: MAX_WEBHOOKS },
      })
    }
    const webhook = await insertWebhook(tx, row)
    await recordAudit(tx, ctx, { action: 'webhook.create', target: String(webhook.id) })
    await also(tx, webhook)
    return webhook
  })
}
