import { type ErrorCode, GatewayError, toGatewayError } from '../../domain/errors.ts'
import { describeError } from '../../http/chat-errors.ts'
import type { HttpContext } from '../../http/context.ts'
import { noteFailure } from '../../http/errors.ts'
import type { ModelGatewayError, ModelGatewayFailure } from '../../ports/model-gateway.ts'
import type { ChatFormat } from './chat-format.ts'
import { formatOf } from './chat-formats.ts'

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
  const { status, type, limit } = describeError(shown)
  const headers = noteFailure(c, error, shown, status)
  return c.json((formatOf(c.req.path) ?? openAi).errorBody(type, shown.message, limit), status, headers)
}

/** Of the paths that are no chat. */
const openAi: Pick<ChatFormat, 'errorBody'> = {
  errorBody: (type, message, more) => ({ error: { message, type, param: null, code: null, ...more } }),
}
