import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { type ErrorCode, GatewayError, toGatewayError } from '../domain/errors.ts'
import type { HttpEnv } from './context.ts'

/** The one table from domain codes to the native API's statuses. */
export const STATUS_OF = {
  invalid_request: 422,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  payload_too_large: 413,
  unsupported_media_type: 415,
  rate_limited: 429,
  quota_exceeded: 429,
  backend_rejected: 422,
  backend_failed: 502,
  backend_timeout: 504,
  unavailable: 503,
  internal: 500,
} as const satisfies Record<ErrorCode, ContentfulStatusCode>

/** A body that cannot be read at all, so that no field can be blamed: 400. A parser's error quotes the body: it is no cause. */
export class MalformedRequestError extends GatewayError {
  constructor(message: string, cause?: unknown) {
    super('invalid_request', message, { cause })
  }
}

/** Renders any error in the native envelope. What is not a GatewayError is a fault of ours: logged, and not shown. */
export function renderError(error: Error, c: Context<HttpEnv>): Response {
  const shown = toGatewayError(fromHono(error))
  const status = shown instanceof MalformedRequestError ? 400 : STATUS_OF[shown.code]
  const log = c.get('log')
  if (status >= 500) log.error({ err: shown.cause ?? error, code: shown.code }, shown.message)
  else if (shown.cause) log.debug({ err: shown.cause, code: shown.code }, shown.message)
  c.set('errorCode', shown.code)
  const headers: Record<string, string> = {}
  if (shown.retryAfter !== undefined) headers['Retry-After'] = String(shown.retryAfter)
  if (status === 401) headers['WWW-Authenticate'] = 'Bearer'
  return c.json(
    {
      error: {
        code: shown.code,
        message: shown.message,
        request_id: c.get('requestId'),
        ...(shown.details && { details: shown.details }),
      },
    },
    status,
    headers,
  )
}

/** What Hono itself throws of a body that it cannot parse, or will not. */
function fromHono(error: Error): Error {
  if (!(error instanceof HTTPException)) return error
  if (error.status === 400) return new MalformedRequestError('The body is not valid JSON.')
  if (error.status === 415) {
    return new GatewayError('unsupported_media_type', 'Send the body as application/json.', { cause: error })
  }
  return error
}
