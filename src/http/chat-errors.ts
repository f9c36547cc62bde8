import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { ErrorCode, GatewayError } from '../domain/errors.ts'
import { STATUS_OF } from './errors.ts'

const TYPE_OF: Readonly<Record<ErrorCode, string>> = {
  invalid_request: 'invalid_request_error',
  payload_too_large: 'invalid_request_error',
  unsupported_media_type: 'invalid_request_error',
  conflict: 'invalid_request_error',
  backend_rejected: 'invalid_request_error',
  unauthenticated: 'authentication_error',
  forbidden: 'permission_error',
  not_found: 'not_found',
  rate_limited: 'rate_limit_error',
  quota_exceeded: 'rate_limit_error',
  backend_failed: 'api_error',
  backend_timeout: 'api_error',
  unavailable: 'api_error',
  internal: 'api_error',
}

/** An error as clients of OpenAI, Anthropic and Mastra know it; `limit`, of a limit that was reached, stands beside its message. */
export function describeError({ code, details }: GatewayError) {
  const { scope, retry_after_seconds: seconds } = details ?? {}
  const status: ContentfulStatusCode = code === 'invalid_request' ? 400 : STATUS_OF[code]
  const limit = seconds === undefined ? {} : { scope, retry_after_seconds: seconds }
  return { status, type: TYPE_OF[code], limit }
}
