import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { type ErrorCode, type GatewayError, toGatewayError } from '../../domain/errors.ts'
import type { HttpContext } from '../../http/context.ts'
import { noteFailure, STATUS_OF } from '../../http/errors.ts'

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

/** Renders any error as `{"error": {"message", "type"}}`; beyond a limit also with `scope` and `retry_after_seconds`. */
export function renderError(error: Error, c: HttpContext): Response {
  const shown = toGatewayError(error)
  const status = statusOf(shown)
  const headers = noteFailure(c, error, shown, status)
  const { scope, retry_after_seconds: seconds } = shown.details ?? {}
  const limit = seconds !== undefined && { scope, retry_after_seconds: seconds }
  return c.json({ error: { message: shown.message, type: TYPE_OF[shown.code], ...limit } }, status, headers)
}

function statusOf({ code }: GatewayError): ContentfulStatusCode {
  return code === 'invalid_request' ? 400 : STATUS_OF[code]
}
