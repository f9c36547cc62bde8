import { createRoute } from '@hono/zod-openapi'
import type { Limits } from '../../config/config.ts'
import type { Context } from '../../domain/context.ts'
import { GatewayError } from '../../domain/errors.ts'
import type { BatchAnswer } from '../../domain/relay/outcome.ts'
import { SearchInput } from '../../domain/search/schemas.ts'
import { searchMemory } from '../../domain/search/search-memory.ts'
import {
  relayMessages,
  type StoredMessages,
  storeInlineMessages,
  storeUploadedMessages,
} from '../../domain/sessions/add-messages.ts'
import { flushSession, type StoredFlush } from '../../domain/sessions/flush-session.ts'
import { AddMessagesInput, FlushSessionInput } from '../../domain/sessions/schemas.ts'
import { authenticate, type HttpContext } from '../context.ts'
import { toAttachment, toSearchResults } from '../dto.ts'
import { MalformedRequestError } from '../errors.ts'
import { checkJsonValues } from '../json-values.ts'
import { jsonBody, withBody } from '../middleware/json-body.ts'
import { answer, answerOnce } from '../once.ts'
import { multipartRequest } from '../openapi.ts'
import { createRouter } from '../router.ts'
import {
  AddedMessages,
  credentialFields,
  errorResponses,
  FlushedSession,
  jsonRequest,
  jsonResponse,
  QueuedFlush,
  QueuedMessages,
} from '../schemas.ts'
import { SearchResults } from '../search-schemas.ts'
import { identityOf, withUpload } from '../uploads.ts'

const ADD_FIELDS = ['session_id', 'app_id', 'project_id', 'messages']

const addResponses = {
  200: jsonResponse(AddedMessages, 'Durable, and taken by the backend'),
  202: jsonResponse(QueuedMessages, 'Durable; the backend is slow or away and gets them later'),
  ...errorResponses(400, 401, 403, 404, 409, 413, 415, 422, 429, 502),
}

const addMultipartRoute = createRoute({
  method: 'post',
  path: '/memories/add/multipart',
  operationId: 'addMessagesMultipart',
  tags: ['Memories'],
  summary: 'Add messages with their files',
  description:
    'Parts in any order. Each item of `messages` that is not text names its file by `upload_id`: non-empty, unique in the request, and equal to the name of the file field.',
  request: multipartRequest({
    properties: {
      user_id: { type: 'string' },
      user_key: { type: 'string' },
      session_id: { type: 'string', description: 'Usually chat:{conversation_id}' },
      app_id: { type: 'string', default: 'default' },
      project_id: { type: 'string', default: 'default' },
      messages: { type: 'string', description: 'JSON: an array of messages' },
    },
    required: ['session_id', 'messages'],
    additionalProperties: { type: 'string', format: 'binary', description: 'A file, under its upload_id' },
  }),
  responses: addResponses,
})

const addRoute = (limits: Limits) =>
  createRoute({
    method: 'post',
    path: '/memories/add',
    operationId: 'addMessages',
    tags: ['Memories'],
    summary: 'Add messages, with small files inline as base64',
    middleware: jsonBody(limits.inlineBytes),
    request: { body: jsonRequest(AddMessagesInput.extend(credentialFields)) },
    responses: addResponses,
  })

const flushRoute = (limits: Limits) =>
  createRoute({
    method: 'post',
    path: '/memories/flush',
    operationId: 'flushSession',
    tags: ['Memories'],
    summary: 'Extract and index what a session holds',
    middleware: jsonBody(limits.messagesBytes),
    request: { body: jsonRequest(FlushSessionInput.extend(credentialFields)) },
    responses: {
      200: jsonResponse(FlushedSession, 'Done'),
      202: jsonResponse(QueuedFlush, 'The backend is slow or away, and does it later'),
      ...errorResponses(400, 401, 404, 409, 413, 415, 422, 502),
    },
  })

const searchRoute = (limits: Limits) =>
  createRoute({
    method: 'post',
    path: '/memories/search',
    operationId: 'searchMemories',
    tags: ['Memories'],
    summary: 'Search one chat, the resources, or everything',
    middleware: jsonBody(limits.messagesBytes),
    request: { body: jsonRequest(SearchInput.safeExtend(credentialFields)) },
    responses: {
      200: jsonResponse(SearchResults, 'Best first'),
      ...errorResponses(400, 401, 413, 415, 422, 502, 504),
    },
  })

export function memoryRoutes(limits: Limits) {
  const router = createRouter()

  router.openapi(addMultipartRoute, (c) =>
    answerOnce(c, async (claim) => {
      const { ctx, stored } = await withUpload(c, ADD_FIELDS, async (admitted, { input, files }) => {
        const { messages, ...fields } = input
        const asked = { ...fields, messages: parseMessages(messages) }
        await claim.begin(admitted, { ...asked, files: files.map(identityOf) })
        return storeUploadedMessages(admitted, asked, files, claim.keep(queuedMessages, subjectOf))
      })
      return relayAndAnswer(c, ctx, stored)
    }),
  )

  router.openapi(addRoute(limits), (c) =>
    answerOnce(c, async (claim) => {
      const { ctx, stored } = await withBody(c, c.req.valid('json'), async (admitted, input) => {
        await claim.begin(admitted, input)
        await using files = admitted.services.spool.open()
        return await storeInlineMessages(admitted, input, files, claim.keep(queuedMessages, subjectOf))
      })
      return relayAndAnswer(c, ctx, stored)
    }),
  )

  router.openapi(flushRoute(limits), (c) =>
    answerOnce(c, async (claim) => {
      const { user_id, user_key, ...input } = c.req.valid('json')
      const ctx = await authenticate(c, { user_id, user_key })
      await claim.begin(ctx, input)
      const keep = claim.keep(queuedFlush, ({ session, batchId }: StoredFlush) => ({ sessionId: session.id, batchId }))
      const flushed = await flushSession(ctx, input, keep)
      if (!flushed.answer) return queuedFlush(flushed)
      const status = flushed.answer.status === 'extracted' ? ('extracted' as const) : ('no_extraction' as const)
      return answer(200, {
        session_id: flushed.sessionId,
        backend: { request_id: flushed.answer.requestId, data: { status } },
      })
    }),
  )

  router.openapi(searchRoute(limits), async (c) => {
    const { user_id, user_key, ...input } = c.req.valid('json')
    const ctx = await authenticate(c, { user_id, user_key })
    const found = await searchMemory(ctx, input)
    return c.json(toSearchResults(found, ctx.caller.externalUserId), 200)
  })

  return router
}

function parseMessages(text: string | undefined): unknown {
  if (text === undefined)
    throw new GatewayError('invalid_request', 'messages: send a text field with a JSON array of messages.')
  checkJsonValues(text)
  try {
    return JSON.parse(text)
  } catch {
    throw new MalformedRequestError(
      'messages: is not valid JSON. (With curl use --form-string for it: -F ends a value at a semicolon.)',
    )
  }
}

async function relayAndAnswer(c: HttpContext, ctx: Context, stored: StoredMessages) {
  c.set('ids', { sessionId: stored.batch.session.id, batchId: stored.batch.id })
  const taken = await relayMessages(ctx, stored)
  return taken ? answer(200, toAddedMessages(stored, taken)) : queuedMessages(stored)
}

const queuedMessages = (stored: StoredMessages) => answer(202, toQueuedMessages(stored))
const queuedFlush = ({ sessionId }: { sessionId: string }) =>
  answer(202, { session_id: sessionId, status: 'queued' as const })

function subjectOf({ batch }: StoredMessages) {
  return { sessionId: batch.session.id, batchId: batch.id }
}

function toAddedMessages(stored: StoredMessages, { requestId, status }: BatchAnswer) {
  const { messageIds } = stored.batch
  return {
    session_id: stored.sessionId,
    backend: {
      request_id: requestId,
      data: {
        message_count: messageIds.length,
        status: status === 'extracted' ? ('extracted' as const) : ('accumulated' as const),
      },
    },
    message_ids: [...messageIds],
    attachments: stored.batch.attachments.map(toAttachment),
  }
}

function toQueuedMessages(stored: StoredMessages) {
  return {
    session_id: stored.sessionId,
    status: 'queued' as const,
    message_ids: [...stored.batch.messageIds],
    attachments: stored.batch.attachments.map(toAttachment),
  }
}
