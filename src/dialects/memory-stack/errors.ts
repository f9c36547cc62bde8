import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { type ErrorCode, GatewayError, toGatewayError } from '../../domain/errors.ts'
import type { HttpContext } from '../../http/context.ts'
import { STATUS_OF as NATIVE_STATUS_OF, noteFailure } from '../../http/errors.ts'

/** The faults of a request: by field, and those that are no field's. */
export interface Faults {
  readonly formErrors?: readonly string[]
  readonly fieldErrors: Readonly<Record<string, readonly string[]>>
}

export class ValidationError extends GatewayError {
  readonly faults: Faults
  constructor(faults: Faults) {
    super('invalid_request', 'Invalid request payload')
    this.faults = faults
  }
}

const STATUS_OF = {
  ...NATIVE_STATUS_OF,
  invalid_request: 400,
  backend_rejected: 400,
} as const satisfies Record<ErrorCode, ContentfulStatusCode>

/** What is said whatever the reason; for other codes the error's own message. */
const SAID: Partial<Record<ErrorCode, string>> = {
  invalid_request: 'Invalid request payload',
  unauthenticated: 'Invalid API key',
  not_found: 'Memory not found',
  rate_limited: 'Rate limit exceeded',
  quota_exceeded: 'Monthly API limit exceeded',
  internal: 'Internal server error',
}

/** Renders any error in MemoryStack's envelope: `{error, details?}`. */
export function renderError(error: Error, c: HttpContext): Response {
  const shown = toGatewayError(error)
  const status = STATUS_OF[shown.code]
  const headers = noteFailure(c, error, shown, status)
  const details = shown.code === 'invalid_request' ? faultsOf(shown) : undefined
  return c.json({ error: SAID[shown.code] ?? shown.message, ...(details && { details }) }, status, headers)
}

/** The faults that the domain found, by the first part of its names for the fields. */
function faultsOf(error: GatewayError): Faults {
  if (error instanceof ValidationError) return error.faults
  const fields = error.details?.['fields']
  const found = Array.isArray(fields) ? (fields as readonly { path: string; message: string }[]) : []
  return found.length > 0 ? toFaults(found) : { formErrors: [error.message], fieldErrors: {} }
}

/** Grouped by field, as zod flattens them. */
export function toFaults(found: readonly { path: string; message: string }[]): Faults {
  const byField = Map.groupBy(found, ({ path }) => path.split('.')[0] ?? '')
  const formErrors = (byField.get('') ?? []).map(({ message }) => message)
  byField.delete('')
  const fieldErrors = Object.fromEntries(
    [...byField].map(([field, faults]) => [field, faults.map(({ message }) => message)]),
  )
  return { ...(formErrors.length > 0 && { formErrors }), fieldErrors }
}
