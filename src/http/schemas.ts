import { z } from '@hono/zod-openapi'
import { errorCodes } from '../domain/errors.ts'
import { operationStates } from '../domain/operations/schemas.ts'
import { fileItemTypes } from '../domain/sessions/schemas.ts'
import { cleanText } from '../domain/text-schemas.ts'

/** Who calls, as fields of a body or query; the headers do as well. */
export const credentialFields = {
  user_id: cleanText(128).optional().describe('The user of the key. Optional: the key alone says whose it is.'),
  user_key: cleanText(128).optional().describe('The key, unless it is sent as Authorization: Bearer.'),
}

export const CredentialQuery = z.strictObject(credentialFields)

export const ErrorBody = z
  .object({
    error: z.object({
      code: z.enum(errorCodes),
      message: z.string(),
      request_id: z.string(),
      details: z.record(z.string(), z.unknown()).optional(),
    }),
  })
  .openapi('Error')

export const FileKind = z.enum(fileItemTypes).openapi('FileKind')

export const Attachment = z
  .object({
    upload_id: z.string(),
    attachment_id: z.string(),
    type: FileKind,
    name: z.string(),
    mime_type: z.string(),
    size: z.number().int().describe('Bytes'),
    sha256: z.string(),
    internal_uri: z.string(),
  })
  .openapi('Attachment')

const backendAnswer = <T extends z.ZodRawShape>(data: T) => z.object({ request_id: z.string(), data: z.object(data) })

export const AddedMessages = z
  .object({
    session_id: z.string(),
    backend: backendAnswer({ message_count: z.number().int(), status: z.enum(['accumulated', 'extracted']) }),
    message_ids: z.array(z.string()),
    attachments: z.array(Attachment),
  })
  .openapi('AddedMessages')

export const QueuedMessages = z
  .object({
    session_id: z.string(),
    status: z.literal('queued').describe('Durable here; relayed to the backend as soon as it takes them.'),
    message_ids: z.array(z.string()),
    attachments: z.array(Attachment),
  })
  .openapi('QueuedMessages')

export const FlushedSession = z
  .object({ session_id: z.string(), backend: backendAnswer({ status: z.enum(['extracted', 'no_extraction']) }) })
  .openapi('FlushedSession')

export const QueuedFlush = z.object({ session_id: z.string(), status: z.literal('queued') }).openapi('QueuedFlush')

export const Resource = z
  .object({
    resource_id: z.string(),
    filename: z.string(),
    content_type: FileKind,
    mime_type: z.string(),
    size: z.number().int(),
    uri: z.string(),
    session_id: z.string(),
    app_id: z.string(),
    project_id: z.string(),
    status: z.enum(['processing', 'extracted', 'failed']),
    error: z.string().nullable().describe("The backend's code, when failed"),
    title: z.string().nullable(),
    description: z.string().nullable(),
    attachment_id: z.string(),
    url: z.string(),
    created_at: z.string(),
    updated_at: z.string(),
  })
  .openapi('Resource')

export const Session = z
  .object({
    session_id: z.string(),
    kind: z.enum(['chat', 'resource', 'thread']),
    message_count: z.number().int(),
    attachment_count: z.number().int(),
    pending_messages: z.number().int().describe('Messages that no extraction covers yet'),
    created_at: z.string(),
    last_activity_at: z.string(),
  })
  .openapi('Session')

export const Message = z
  .object({
    message_id: z.string(),
    role: z.enum(['user', 'assistant', 'tool']),
    sender_id: z.string(),
    sender_name: z.string().optional(),
    timestamp: z.number().int(),
    content: z.array(
      z.union([
        z.object({ type: z.literal('text'), text: z.string() }),
        Attachment.omit({ sha256: true }).extend({ url: z.string() }),
      ]),
    ),
    tool_calls: z.array(z.unknown()).optional(),
    tool_call_id: z.string().optional(),
    state: z.enum(['queued', 'accumulated', 'extracted', 'failed']),
    error: z.string().optional().describe("The backend's code, when failed; a flush tries again"),
    created_at: z.string(),
  })
  .openapi('Message')

export const Operation = z
  .object({
    operation_id: z.string(),
    action: z.enum(['add', 'flush']),
    status: z.enum(operationStates).describe('rejected and failed have ended; the others are tried again'),
    reason: z.string().nullable().describe("The backend's code of the last failure"),
    attempts: z.number().int().describe('How often the backend had it without saying what became of it'),
    next_try_at: z.string().nullable().describe('Null when it has ended, or is under way'),
    session_id: z.string(),
    resource_id: z.string().optional(),
    app_id: z.string(),
    project_id: z.string(),
    message_count: z.number().int(),
    created_at: z.string(),
    updated_at: z.string(),
  })
  .openapi('Operation')

export const Erasure = z
  .object({
    erasure_id: z.string(),
    kind: z.enum(['user', 'session', 'resource', 'memory']),
    status: z
      .enum(['processing', 'pending_operator', 'done'])
      .describe('pending_operator: removed here; the backend cannot delete, and its operator has to'),
    requested_by: z.enum(['user', 'admin']),
    sessions: z.number().int(),
    messages: z.number().int(),
    objects: z.number().int(),
    bytes: z.number().int(),
    pending_operator: z
      .array(z.object({ project_id: z.string(), session_id: z.string().optional() }))
      .describe("What is left in the backend, by the backend's own names"),
    requested_at: z.string(),
    finished_at: z.string().nullable(),
  })
  .openapi('Erasure')

export const BegunErasure = z
  .object({ erasure_id: z.string(), status: z.literal('processing') })
  .openapi('BegunErasure')

export const UserKey = z
  .object({
    key_id: z.string(),
    prefix: z.string(),
    created_at: z.string(),
    last_used_at: z.string().nullable(),
    expires_at: z.string().nullable(),
  })
  .openapi('UserKey')

export const nextCursor = {
  next_cursor: z.string().nullable().describe('Send it as cursor for the next page; null on the last.'),
}

type Status = 400 | 401 | 403 | 404 | 409 | 413 | 415 | 422 | 429 | 502 | 504

const MEANINGS: Record<Status, string> = {
  400: 'The body cannot be read',
  401: 'No key, or not a valid one',
  403: 'Not yours to say',
  404: 'Unknown, or not yours',
  409: 'In conflict with what is there',
  413: 'Too large',
  415: 'A type that is not supported, or not the one declared',
  422: 'A field is wrong, or the backend refused',
  429: 'Too many at once',
  502: 'The backend failed',
  504: 'The backend did not answer in time',
}

/** The error answers of a route. Any may also answer 429 to a user of many requests, 500, and 503 while what it stands on is away. */
export function errorResponses<S extends Status>(...statuses: S[]) {
  const describe = (description: string, headers?: typeof retryAfter) => ({
    description,
    ...(headers && { headers }),
    content: { 'application/json': { schema: ErrorBody } },
  })
  const responses = Object.fromEntries(statuses.map((status) => [status, describe(MEANINGS[status])]))
  return {
    ...(responses as Record<S, ReturnType<typeof describe>>),
    429: describe(MEANINGS[429], retryAfter),
    500: describe('A fault of the gateway'),
    503: describe('Cannot be done now; see Retry-After', retryAfter),
  }
}

const retryAfter = {
  'Retry-After': { description: 'Seconds', schema: { type: 'integer' as const, minimum: 0 } },
}

export function jsonResponse<T extends z.ZodType>(schema: T, description: string) {
  return { description, content: { 'application/json': { schema } } }
}

export function jsonRequest<T extends z.ZodType>(schema: T) {
  return { required: true, content: { 'application/json': { schema } } }
}

/** The answer to a deletion. */
export const deletedResponse = {
  description: 'Deleted: hidden at once, and being removed',
  headers: {
    Location: { description: 'Where its receipt is: /erasures/{erasure_id}', schema: { type: 'string' as const } },
  },
}

/** The answer to the erasure of a user. */
export const begunErasure = {
  ...jsonResponse(BegunErasure, 'Hidden at once, and being removed'),
  headers: { Location: { description: 'Where the receipt is', schema: { type: 'string' as const } } },
}

const bytes = { content: { '*/*': { schema: { type: 'string' as const, format: 'binary' } } } }

/** The answers of a download, which has the type of the file. */
export const fileResponses = {
  200: { description: 'The bytes', ...bytes },
  206: { description: 'The range of bytes asked for', ...bytes },
  304: { description: 'The caller has it already' },
  416: { description: 'No such range' },
}
