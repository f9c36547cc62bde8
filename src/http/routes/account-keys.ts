import { createRoute, z } from '@hono/zod-openapi'
import { createApiKey, type CreatedApiKey as NewApiKey } from '../../domain/accounts/create-api-key.ts'
import { listApiKeys } from '../../domain/accounts/list-api-keys.ts'
import { revokeApiKey } from '../../domain/accounts/revoke-api-key.ts'
import { rotateApiKey } from '../../domain/accounts/rotate-api-key.ts'
import { CreateApiKeyInput, ListApiKeysInput, RotateApiKeyInput } from '../../domain/accounts/schemas.ts'
import { cleanText } from '../../domain/text-schemas.ts'
import { ApiKey, CreatedApiKey, RotatedApiKey, toApiKey, toCreatedApiKey } from '../account-bodies.ts'
import { adminOnly, requireAdminKey, systemContext } from '../context.ts'
import { jsonBody } from '../middleware/json-body.ts'
import { answer, answerOnce, deleted } from '../once.ts'
import { createRouter } from '../router.ts'
import { errorResponses, jsonRequest, jsonResponse, nextCursor } from '../schemas.ts'

const SMALL_BODY = 64 * 1024
const AccountPath = z.object({ account_id: cleanText(64) })
const KeyPath = z.object({ account_id: cleanText(64), key_id: cleanText(64) })
const operator = { tags: ['Accounts'], security: [{ adminKey: [] }], middleware: adminOnly }
const operatorBody = { ...operator, middleware: jsonBody(SMALL_BODY, requireAdminKey) }

const createKeyRoute = createRoute({
  ...operatorBody,
  method: 'post',
  path: '/admin/accounts/{account_id}/keys',
  operationId: 'createApiKey',
  summary: 'Make a service key',
  description:
    'Default: it may read and write, in any project, for ever. The scope admin may do all, and manage keys and webhooks of the account.',
  request: { params: AccountPath, body: jsonRequest(CreateApiKeyInput) },
  responses: { 201: jsonResponse(CreatedApiKey, 'Created'), ...errorResponses(400, 401, 404, 409, 413, 415, 422) },
})

const listKeysRoute = createRoute({
  ...operator,
  method: 'get',
  path: '/admin/accounts/{account_id}/keys',
  operationId: 'listApiKeys',
  summary: 'List the service keys, newest first, those that have ended too',
  request: { params: AccountPath, query: ListApiKeysInput },
  responses: {
    200: jsonResponse(z.object({ keys: z.array(ApiKey), ...nextCursor }), 'A page'),
    ...errorResponses(401, 404, 422),
  },
})

const revokeKeyRoute = createRoute({
  ...operator,
  method: 'delete',
  path: '/admin/accounts/{account_id}/keys/{key_id}',
  operationId: 'revokeApiKey',
  summary: 'Revoke a service key',
  request: { params: KeyPath },
  responses: { 204: { description: 'Revoked' }, ...errorResponses(401, 404, 409, 422) },
})

const rotateKeyRoute = createRoute({
  ...operatorBody,
  method: 'post',
  path: '/admin/accounts/{account_id}/keys/{key_id}/rotate',
  operationId: 'rotateApiKey',
  summary: 'Replace a service key by a new one with the same settings',
  description: 'The old key ends at once, or after grace_seconds.',
  request: { params: KeyPath, body: { ...jsonRequest(RotateApiKeyInput), required: false } },
  responses: {
    201: jsonResponse(RotatedApiKey, 'The new key'),
    ...errorResponses(400, 401, 404, 409, 413, 415, 422),
  },
})

const created = (key: NewApiKey) => answer(201, toCreatedApiKey(key))

export function accountKeyRoutes() {
  const router = createRouter()

  router.openapi(createKeyRoute, (c) =>
    answerOnce(c, async (claim) => {
      const ctx = systemContext(c)
      const input = c.req.valid('json')
      await claim.begin(ctx, input)
      return created(await createApiKey(ctx, c.req.valid('param').account_id, input, claim.keep(created)))
    }),
  )

  router.openapi(listKeysRoute, async (c) => {
    const { account_id: accountId } = c.req.valid('param')
    const { items, nextCursor: next_cursor } = await listApiKeys(systemContext(c), accountId, c.req.valid('query'))
    return c.json({ keys: items.map(toApiKey), next_cursor }, 200)
  })

  router.openapi(revokeKeyRoute, (c) =>
    answerOnce(c, async (claim) => {
      const ctx = systemContext(c)
      const { account_id: accountId, key_id: keyId } = c.req.valid('param')
      await claim.begin(ctx)
      await revokeApiKey(
        ctx,
        accountId,
        keyId,
        claim.keep(() => deleted()),
      )
      return deleted()
    }),
  )

  router.openapi(rotateKeyRoute, (c) =>
    answerOnce(c, async (claim) => {
      const ctx = systemContext(c)
      const { account_id: accountId, key_id: keyId } = c.req.valid('param')
      const input = c.req.valid('json')
      await claim.begin(ctx, input)
      const rotated = (key: NewApiKey) => answer(201, { ...toCreatedApiKey(key), replaces: keyId })
      return rotated(await rotateApiKey(ctx, accountId, keyId, input, claim.keep(rotated)))
    }),
  )

  return router
}
