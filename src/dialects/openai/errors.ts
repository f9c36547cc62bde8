import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { type ErrorCode, GatewayError, toGatewayError } from '../../domain/errors.ts'
import type { HttpContext } from '../../http/context.ts'
import { MalformedRequestError, noteFailure, STATUS_OF } from '../../http/errors.ts'
import type { ModelGatewayError, ModelGatewayFailure } from '../../ports/model-gateway.ts'
import type { ChatFormat } from './chat-format.ts'
import { formatOf } from './chat-formats.ts'

const TYPE_OF: Partial<Record<ErrorCode, string>> = {
  invalid_request: 'invalid_request_error',
  payload_too_large: 'invalid_request_error',
  unsupported_media_type: 'invalid_request_error',
  conflict: 'invalid_request_error',
  unauthenticated: 'authentication_error',
  forbidden: 'permission_error',
  not_found: 'not_found',
  rate_limited: 'rate_limit_error',
  quota_exceeded: 'rate_limit_error',
}

const CODE_OF: Readonly<Record<ModelGatewayFailure, ErrorCode>> = {
  unknown_model: 'invalid_request',
  unreachable: 'backend_failed',
  broken_off: 'backend_failed',
  redirect: 'backend_failed',
  timeout: 'backend_timeout',
}

/** A provider's failure as what a caller is told of it. */
export function toChatError(error: ModelGatewayError): GatewayError {
  return new GatewayError(CODE_OF[error.failure], error.message, { cause: error.cause })
}

/** Renders any error in the shape that the clients of the path read. */
export function renderError(error: Error, c: HttpContext): Response {
  const shown = toGatewayError(error)
  const status = statusOf(shown)
  const headers = noteFailure(c, error, shown, status)
  const { scope, retry_after_seconds: seconds } = shown.details ?? {}
  const more = { ...(scope !== undefined && { scope }), ...(seconds !== undefined && { retry_after_seconds: seconds }) }
  const body = (formatOf(c.req.path) ?? openAi).errorBody(TYPE_OF[shown.code] ?? 'api_error', shown.message, more)
  return c.json(body, status, headers)
}

function statusOf(error: GatewayError): ContentfulStatusCode {
  return error instanceof MalformedRequestError || error.code === 'invalid_request' ? 400 : STATUS_OF[error.code]
}

/** Of the paths that are no chat. */
const openAi: Pick<ChatFormat, 'errorBody'> = {
  errorBody: (type, message, more) => ({ error: { message, type, param: null, code: null, ...more } }),
}
