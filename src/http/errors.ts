import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { type ErrorCode, GatewayError, toGatewayError } from '../domain/errors.ts'
import type { HttpEnv } from './context.ts'
import { sayRefusal } from './quota.ts'

/** The one table from domain codes to statuses: the native API's, and a dialect's but for what it has otherwise. */
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
  const headers = noteFailure(c, error, shown, status)
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

/**
 * Notes for the logs how a request failed, and says which headers its answer has besides those of its surface. 501 is no fault: it says
 * what is not offered.
 */
export function noteFailure(
  c: Context<HttpEnv>,
  error: Error,
  shown: GatewayError,
  status: number,
): Record<string, string> {
  const log = c.get('log')
  // What was thrown on purpose and has no cause is a matter of settings or of load: its message says all.
  const cause = shown.cause ?? (shown === error ? undefined : error)
  if (status >= 500 && cause) log.error({ err: cause, code: shown.code }, shown.message)
  else if (status >= 500 && status !== 501) log.warn({ code: shown.code }, shown.message)
  else if (shown.cause) log.debug({ err: shown.cause, code: shown.code }, shown.message)
  c.set('errorCode', shown.code)
  if (status === 429) sayRefusal(c, shown)
  return {
    ...(shown.retryAfter !== undefined && { 'Retry-After': String(shown.retryAfter) }),
    ...(status === 401 && { 'WWW-Authenticate': 'Bearer' }),
  }
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
