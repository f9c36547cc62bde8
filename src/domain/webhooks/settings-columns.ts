import type { SystemContext } from '../context.ts'
import { GatewayError } from '../errors.ts'
import type { NewWebhookRow } from './queries.ts'
import type { RetryConfig, SignatureConfig } from './schemas.ts'

/** The columns of what is given; the rest stay as they are. */
export function settingsColumns(given: {
  readonly retry_config?: RetryConfig | null | undefined
  readonly signature_config?: SignatureConfig | null | undefined
}): Partial<NewWebhookRow> {
  const retry = given.retry_config ?? {}
  const signature = given.signature_config ?? {}
  const columns = {
    retryEnabled: retry.enabled,
    maxRetries: retry.max_retries,
    initialDelay: retry.initial_delay_seconds,
    maxDelay: retry.max_delay_seconds,
    backoffMultiplier: retry.backoff_multiplier,
    retryStatusCodes: retry.retry_status_codes,
    signatureAlgorithm: signature.algorithm,
    signatureHeader: signature.header_name,
    timestampHeader: signature.timestamp_header,
    signatureTolerance: signature.tolerance_seconds,
  }
  return Object.fromEntries(Object.entries(columns).filter(([, value]) => value !== undefined))
}

/** `invalid_request` if one header were to carry both. */
export function requireTwoHeaders(webhook: { signatureHeader: string; timestampHeader: string }): void {
  if (webhook.signatureHeader.toLowerCase() !== webhook.timestampHeader.toLowerCase()) return
  throw refuseField('signature_config.timestamp_header', 'must differ from header_name')
}

/** `invalid_request` for an address that the gateway would never call. */
export function requireCallable(ctx: SystemContext, url: string): void {
  const objection = ctx.services.webhooks.objectionTo(url)
  if (objection !== undefined) throw refuseField('url', objection)
}

function refuseField(path: string, message: string): GatewayError {
  return new GatewayError('invalid_request', `${path}: ${message}`, { details: { fields: [{ path, message }] } })
}
