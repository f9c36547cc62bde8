import { type ErrorCode, GatewayError, toGatewayError } from '../../domain/errors.ts'
import type { HttpContext } from '../../http/context.ts'
import { MalformedRequestError, noteFailure, STATUS_OF } from '../../http/errors.ts'

/** One fault of a request, as Pydantic names it. */
export interface Fault {
  readonly type: string
  readonly loc: readonly (string | number)[]
  readonly msg: string
}

export class ValidationError extends GatewayError {
  readonly faults: readonly Fault[]
  constructor(faults: readonly Fault[]) {
    super('invalid_request', faults.map(({ loc, msg }) => `${loc.join('.')}: ${msg}`).join(' '))
    this.faults = faults
  }
}

/** What is not there is a key, not a memory. */
export class UnknownKeyError extends GatewayError {
  constructor() {
    super('not_found', 'API key not found')
  }
}

/** What is said whatever the reason; for other codes the error's own message. */
const SAID: Partial<Record<ErrorCode, string>> = {
  unauthenticated: 'Invalid or missing API key',
  not_found: 'Memory not found',
  rate_limited: 'Rate limit exceeded. Upgrade your plan or wait.',
  quota_exceeded: 'Rate limit exceeded. Upgrade your plan or wait.',
  internal: 'Internal server error. Please try again.',
}

/** Renders any error in Memory Layer's envelopes: `{detail}`, and a list of faults for a request that is not valid. */
export function renderError(error: Error, c: HttpContext): Response {
  const shown = toGatewayError(error)
  const isMalformed = shown instanceof MalformedRequestError
  const status = isMalformed ? 400 : STATUS_OF[shown.code]
  const headers = noteFailure(c, error, shown, status)
  const body = status === 422 ? validationBody(faultsOf(shown)) : { detail: detailOf(shown) }
  return c.json(body, status, headers)
}

function detailOf(error: GatewayError): string {
  return error instanceof UnknownKeyError ? error.message : (SAID[error.code] ?? error.message)
}

function validationBody(details: readonly Fault[]) {
  return { status: 'error', message: 'Validation error', details, timestamp: new Date().toISOString() }
}

/** The faults that the domain found, by its names for the fields. */
function faultsOf(error: GatewayError): readonly Fault[] {
  if (error instanceof ValidationError) return error.faults
  const fields = error.details?.['fields']
  const found = Array.isArray(fields) ? (fields as readonly { path: string; message: string }[]) : []
  if (found.length === 0) return [{ type: 'value_error', loc: ['body'], msg: error.message }]
  return found.map(({ path, message }) => ({
    type: 'value_error',
    loc: ['body', ...path.split('.').filter((part) => part !== '')],
    msg: `Value error, ${message}`,
  }))
}
