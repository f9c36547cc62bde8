import { createRoute, z } from '@hono/zod-openapi'
import { listOperations } from '../../domain/operations/list-operations.ts'
import { retryOperation } from '../../domain/operations/retry-operation.ts'
import { ListOperationsInput } from '../../domain/operations/schemas.ts'
import { cleanText } from '../../domain/text-schemas.ts'
import { adminOnly, authenticate, systemContext } from '../context.ts'
import { toOperation } from '../dto.ts'
import { answer, answerOnce } from '../once.ts'
import { createRouter } from '../router.ts'
import { CredentialQuery, credentialFields, errorResponses, jsonResponse, nextCursor, Operation } from '../schemas.ts'

const OperationPath = z.object({ operation_id: cleanText(64) })
const RetriedOperation = z.object({ operation_id: z.string(), status: z.literal('stored') }).openapi('RetriedOperation')
const UserOperation = Operation.extend({ user_id: z.string() }).openapi('UserOperation')

const listRoute = createRoute({
  method: 'get',
  path: '/operations',
  operationId: 'listOperations',
  tags: ['Operations'],
  summary: 'List what the backend has not taken yet, or not at all, newest first',
  request: { query: ListOperationsInput.extend(credentialFields) },
  responses: {
    200: jsonResponse(z.object({ operations: z.array(Operation), ...nextCursor }), 'A page'),
    ...errorResponses(401, 422),
  },
})

const retryRoute = createRoute({
  method: 'post',
  path: '/operations/{operation_id}/retry',
  operationId: 'retryOperation',
  tags: ['Operations'],
  summary: 'Have an operation tried again, with all that failed in its session',
  request: { params: OperationPath, query: CredentialQuery },
  responses: { 202: jsonResponse(RetriedOperation, 'In line again'), ...errorResponses(401, 404, 409, 422) },
})

const adminListRoute = createRoute({
  method: 'get',
  path: '/admin/operations',
  operationId: 'listAllOperations',
  tags: ['Admin'],
  summary: 'List the operations of all users, newest first',
  security: [{ adminKey: [] }],
  middleware: adminOnly,
  request: { query: ListOperationsInput },
  responses: {
    200: jsonResponse(z.object({ operations: z.array(UserOperation), ...nextCursor }), 'A page'),
    ...errorResponses(401, 422),
  },
})

const adminRetryRoute = createRoute({
  method: 'post',
  path: '/admin/operations/{operation_id}/retry',
  operationId: 'retryAnyOperation',
  tags: ['Admin'],
  summary: "Have any user's operation tried again, with all that failed in its session",
  security: [{ adminKey: [] }],
  middleware: adminOnly,
  request: { params: OperationPath },
  responses: { 202: jsonResponse(RetriedOperation, 'In line again'), ...errorResponses(401, 404, 409, 422) },
})

const retried = (id: string) => answer(202, { operation_id: id, status: 'stored' as const })

export function operationRoutes() {
  const router = createRouter()

  router.openapi(listRoute, async (c) => {
    const { user_id, user_key, ...input } = c.req.valid('query')
    const ctx = await authenticate(c, { user_id, user_key })
    const { items, nextCursor: next_cursor } = await listOperations(ctx, ctx.caller, input)
    return c.json({ operations: items.map(toOperation), next_cursor }, 200)
  })

  router.openapi(retryRoute, (c) =>
    answerOnce(c, async (claim) => {
      const ctx = await authenticate(c, c.req.valid('query'))
      const { operation_id: id } = c.req.valid('param')
      await claim.begin(ctx)
      await retryOperation(ctx, id, claim.keep(retried))
      return retried(id)
    }),
  )

  router.openapi(adminListRoute, async (c) => {
    const { items, nextCursor: next_cursor } = await listOperations(systemContext(c), undefined, c.req.valid('query'))
    return c.json({ operations: items.map((row) => ({ ...toOperation(row), user_id: row.userId })), next_cursor }, 200)
  })

  router.openapi(adminRetryRoute, (c) =>
    answerOnce(c, async (claim) => {
      const ctx = systemContext(c)
      const { operation_id: id } = c.req.valid('param')
      await claim.begin(ctx)
      await retryOperation(ctx, id, claim.keep(retried))
      return retried(id)
    }),
  )

  return router
}
