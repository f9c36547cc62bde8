import { GatewayError } from '../errors.ts'

export { type WebhookScope } from './queries.ts'

export function unknownWebhook(): GatewayError {
  return new GatewayError('not_found', 'There is no such webhook.')
}

export function unknownDelivery(): GatewayError {
  return new GatewayError('not_found', 'There is no such delivery.')
}

/** For what would call a webhook that is to be left alone. */
export function webhookPaused(): GatewayError {
  return new GatewayError('conflict', 'The webhook is paused. Resume it first.')
}
