import { isDatabaseAway, lacksUser } from '../db/sql-state.ts'

export const errorCodes = [
  'invalid_request',
  'unauthenticated',
  'forbidden',
  'not_found',
  'conflict',
  'payload_too_large',
  'unsupported_media_type',
  'rate_limited',
  'quota_exceeded',
  'backend_rejected',
  'backend_failed',
  'backend_timeout',
  'unavailable',
  'internal',
] as const
export type ErrorCode = (typeof errorCodes)[number]

/** What a caller is told, beside the message: which field, which ids, which limit. Safe to show. */
export type ErrorDetails = Readonly<Record<string, unknown>>

/** The only error the domain throws on purpose. `message` is for the caller and says what to do; `cause` is for the log. */
export class GatewayError extends Error {
  override name = 'GatewayError'
  readonly code: ErrorCode
  readonly details: ErrorDetails | undefined
  /** Seconds after which trying again makes sense. */
  readonly retryAfter: number | undefined

  constructor(
    code: ErrorCode,
    message: string,
    options: { details?: ErrorDetails; cause?: unknown; retryAfter?: number } = {},
  ) {
    super(message, { cause: options.cause })
    this.code = code
    this.details = options.details
    this.retryAfter = options.retryAfter
  }
}

function userErased(cause: unknown): GatewayError {
  return new GatewayError('unauthenticated', 'The key is not valid, or is not a key of this user_id.', { cause })
}

/** Any error as one that a surface may show. What nobody foresaw is `internal`, with the error itself as its cause. */
export function toGatewayError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error
  if (isDatabaseAway(error)) {
    return new GatewayError('unavailable', 'The gateway cannot reach its database now. Try again.', {
      cause: error,
      retryAfter: 2,
    })
  }
  // Who is erased while a request of theirs is under way.
  if (lacksUser(error)) return userErased(error)
  return new GatewayError('internal', 'The gateway failed. Report the request_id to its operator.', { cause: error })
}
