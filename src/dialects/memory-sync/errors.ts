import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { z } from 'zod'
import { type ErrorCode, GatewayError, toGatewayError } from '../../domain/errors.ts'
import type { HttpContext } from '../../http/context.ts'
import { valueAt } from '../../http/dialect.ts'
import { MalformedRequestError, noteFailure, STATUS_OF } from '../../http/errors.ts'

/** One fault of a request's fields: where it is, and what is wrong with it. */
export interface FieldFault {
  readonly type: string
  /** `body`, `query`, `header` or `path`, then the names and positions that lead to the field. */
  readonly loc: readonly (string | number)[]
  readonly msg: string
}

/** A refusal whose status and body are the dialect's own. */
export class MemorySyncError extends GatewayError {
  readonly status: ContentfulStatusCode
  readonly body: Readonly<Record<string, unknown>>

  constructor(
    code: ErrorCode,
    refusal: { status: ContentfulStatusCode; message: string; body: Readonly<Record<string, unknown>> },
  ) {
    super(code, refusal.message)
    this.status = refusal.status
    this.body = refusal.body
  }
}

export function missingProject(): MemorySyncError {
  const detail = 'Name the project in the header X-Project-ID, or use a key that is bound to one.'
  return new MemorySyncError('invalid_request', {
    status: 400,
    message: detail,
    body: { code: 'PROJECT_ID_REQUIRED', detail },
  })
}

export function missingEndUser(): MemorySyncError {
  return refusal(
    'invalid_request',
    400,
    'MISSING_END_USER_ID',
    'Name the end user in the header X-End-User-ID, or as end_user_id in the body.',
  )
}

/** What the gateway has no sound basis for, or does not do at all. */
export function notImplemented(message: string): MemorySyncError {
  return refusal('unavailable', 501, 'NOT_IMPLEMENTED', message)
}

export function refusal(code: ErrorCode, status: ContentfulStatusCode, name: string, message: string): MemorySyncError {
  return new MemorySyncError(code, { status, message, body: { error: { code: name, message } } })
}

/** 422 with the faults listed, as the original does. */
export function invalidFields(faults: readonly FieldFault[]): MemorySyncError {
  const message = faults[0]?.msg ?? 'The request is not valid.'
  return new MemorySyncError('invalid_request', { status: 422, message, body: { detail: faults } })
}

const MAX_FAULTS = 20
const MAX_TEXT = 200

/** Parses a part of the request; what the schema does not know is left out. Throws 422 with every fault. */
export function parsePart<T extends z.ZodType>(
  schema: T,
  part: 'body' | 'query' | 'header' | 'path',
  given: unknown,
): z.output<T> {
  const result = schema.safeParse(given)
  if (result.success) return result.data
  throw invalidFields(result.error.issues.slice(0, MAX_FAULTS).map((issue) => toFault(issue, part, given)))
}

/** By the kind of value that is wanted: the types' names, and what is said of a value of another one. */
const WRONG_TYPE: Readonly<Record<string, readonly [type: string, msg: string]>> = {
  string: ['string_type', 'Must be a string'],
  number: ['float_type', 'Must be a number'],
  int: ['int_type', 'Must be a whole number'],
  boolean: ['bool_type', 'Must be true or false'],
  array: ['list_type', 'Must be a list'],
  object: ['dict_type', 'Must be an object'],
  record: ['dict_type', 'Must be an object'],
}
const OUT_OF_BOUNDS: Readonly<Record<string, readonly [below: string, above: string]>> = {
  string: ['string_too_short', 'string_too_long'],
  number: ['greater_than_equal', 'less_than_equal'],
  int: ['greater_than_equal', 'less_than_equal'],
  array: ['too_short', 'too_long'],
}

function toFault(issue: z.core.$ZodIssue, part: string, given: unknown): FieldFault {
  const path = issue.path.map((step) => (typeof step === 'number' ? step : cut(String(step))))
  const loc = [part, ...path]
  if (issue.code === 'invalid_type') {
    if (path.length > 0 && valueAt(given, issue.path) === undefined) {
      return { type: 'missing', loc, msg: `Field required: ${path.join('.')}` }
    }
    const [type, msg] = WRONG_TYPE[issue.expected] ?? ['value_error', cut(issue.message)]
    return { type, loc, msg: named(path, msg) }
  }
  const bounds = issue.code === 'too_small' || issue.code === 'too_big' ? OUT_OF_BOUNDS[issue.origin] : undefined
  const type = bounds?.[issue.code === 'too_small' ? 0 : 1] ?? 'value_error'
  return { type, loc, msg: named(path, cut(issue.message)) }
}

function named(path: readonly (string | number)[], msg: string): string {
  return path.length > 0 ? `${path.join('.')}: ${msg}` : msg
}

/** A fault may quote the request. */
function cut(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT - 1)}…`.toWellFormed() : text
}

/** Renders any error in the dialect's envelope. What nobody foresaw is logged, and not shown. */
export function renderError(error: Error, c: HttpContext): Response {
  const shown = toGatewayError(error)
  const { status, body } = toAnswer(shown)
  const headers = noteFailure(c, error, shown, status)
  return c.json(body, status, headers)
}

function toAnswer(error: GatewayError): { status: ContentfulStatusCode; body: Readonly<Record<string, unknown>> } {
  if (error instanceof MemorySyncError) return error
  if (error instanceof MalformedRequestError) return { status: 400, body: { detail: error.message } }
  const status = STATUS_OF[error.code]
  if (error.code === 'invalid_request') return { status, body: { detail: faultsOf(error) } }
  return {
    status,
    body: {
      error: {
        code: error.details?.['needed_scope'] === undefined ? error.code.toUpperCase() : 'INSUFFICIENT_SCOPE',
        message: error.message,
        ...(error.retryAfter !== undefined && { retry_after: error.retryAfter }),
        ...(error.details && { details: error.details }),
      },
    },
  }
}

/** Faults that a verb found, as those of the body. */
function faultsOf(error: GatewayError): FieldFault[] {
  const fields = error.details?.['fields'] as readonly { path: string; message: string }[] | undefined
  if (!fields || fields.length === 0) return [{ type: 'value_error', loc: ['body'], msg: error.message }]
  return fields.map(({ path, message }) => {
    const steps = path.split('.').filter(Boolean)
    return { type: 'value_error', loc: ['body', ...steps], msg: named(steps, message) }
  })
}
