import { GatewayError } from '../errors.ts'
import type { BatchOutcome } from './outcome.ts'

/** What a caller is told of a batch that the backend did not take for good. */
export function refusedByBackend(outcome: Extract<BatchOutcome, { state: 'rejected' | 'failed' }>): GatewayError {
  const details = { backend_code: outcome.code }
  if (outcome.state === 'failed') {
    return new GatewayError(
      'backend_failed',
      'The memory backend cannot take this until its operator changes something. Nothing was kept.',
      { details, cause: outcome.message },
    )
  }
  if (outcome.code === 'UNSUPPORTED_FORMAT') {
    return new GatewayError(
      'unsupported_media_type',
      'The memory backend does not support this kind of file. Nothing was kept.',
      { details },
    )
  }
  return new GatewayError('backend_rejected', `The memory backend refused the request: ${outcome.message}`, { details })
}
