import { createRoute, z } from '@hono/zod-openapi'
import type { ErasedSession } from '../../domain/erasure/erase-session.ts'
import { deleteSession } from '../../domain/sessions/delete-session.ts'
import { listMessages, listSessions } from '../../domain/sessions/list-sessions.ts'
import { ListSessionsInput } from '../../domain/sessions/schemas.ts'
import { sessionName, spaceFields } from '../../domain/text-schemas.ts'
import { authenticate } from '../context.ts'
import { toMessage, toSession } from '../dto.ts'
import { answerOnce, deleted } from '../once.ts'
import { createRouter } from '../router.ts'
import {
  credentialFields,
  deletedResponse,
  errorResponses,
  jsonResponse,
  Message,
  nextCursor,
  Session,
} from '../schemas.ts'

const tags = ['Sessions']
const SessionPath = z.object({ session_id: sessionName })

const listRoute = createRoute({
  method: 'get',
  path: '/sessions',
  operationId: 'listSessions',
  tags,
  summary: 'List sessions, most recently active first',
  request: { query: ListSessionsInput.extend(credentialFields) },
  responses: {
    200: jsonResponse(z.object({ sessions: z.array(Session), ...nextCursor }), 'A page'),
    ...errorResponses(401, 422),
  },
})

const messagesRoute = createRoute({
  method: 'get',
  path: '/sessions/{session_id}/messages',
  operationId: 'listMessages',
  tags,
  summary: "List a session's messages in their order",
  request: { params: SessionPath, query: ListSessionsInput.extend(credentialFields) },
  responses: {
    200: jsonResponse(z.object({ session_id: z.string(), messages: z.array(Message), ...nextCursor }), 'A page'),
    ...errorResponses(401, 404, 422),
  },
})

const deleteRoute = createRoute({
  method: 'delete',
  path: '/sessions/{session_id}',
  operationId: 'deleteSession',
  tags,
  summary: 'Delete a session, its messages, files and memories',
  request: { params: SessionPath, query: z.strictObject({ ...spaceFields, ...credentialFields }) },
  responses: { 204: deletedResponse, ...errorResponses(401, 404, 409, 422) },
})

export function sessionRoutes() {
  const router = createRouter()

  router.openapi(listRoute, async (c) => {
    const { user_id, user_key, ...input } = c.req.valid('query')
    const ctx = await authenticate(c, { user_id, user_key })
    const { items, nextCursor: next_cursor } = await listSessions(ctx, input)
    return c.json({ sessions: items.map(toSession), next_cursor }, 200)
  })

  router.openapi(messagesRoute, async (c) => {
    const { user_id, user_key, ...input } = c.req.valid('query')
    const ctx = await authenticate(c, { user_id, user_key })
    const { session_id } = c.req.valid('param')
    const page = await listMessages(ctx, { ...input, session_id })
    const messages = page.items.map((row) => toMessage(row, page))
    return c.json({ session_id, messages, next_cursor: page.nextCursor }, 200)
  })

  router.openapi(deleteRoute, (c) =>
    answerOnce(c, async (claim) => {
      const { user_id, user_key, app_id: appId, project_id: projectId } = c.req.valid('query')
      const ctx = await authenticate(c, { user_id, user_key })
      await claim.begin(ctx)
      const keep = claim.keep(({ erasureId }: ErasedSession) => deleted(erasureId))
      return deleted(await deleteSession(ctx, { appId, projectId }, c.req.valid('param').session_id, keep))
    }),
  )

  return router
}
