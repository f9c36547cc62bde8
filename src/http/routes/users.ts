import { createRoute, z } from '@hono/zod-openapi'
import { cleanText } from '../../domain/text-schemas.ts'
import { type CreatedUser, createUser } from '../../domain/users/create-user.ts'
import { CreateUserInput } from '../../domain/users/schemas.ts'
import {
  type CreatedUserKey,
  createUserKey,
  listUserKeys,
  MAX_USER_KEYS,
  revokeUserKey,
} from '../../domain/users/user-keys.ts'
import { authenticate, requireAdmin, systemContext } from '../context.ts'
import { toUserKey } from '../dto.ts'
import { jsonBody } from '../middleware/json-body.ts'
import { answer, answerOnce, deleted } from '../once.ts'
import { createRouter } from '../router.ts'
import { CredentialQuery, errorResponses, jsonRequest, jsonResponse, UserKey } from '../schemas.ts'

const SMALL_BODY = 64 * 1024
const CreatedUserBody = z
  .object({ user_id: z.string(), user_key: z.string().describe('Shown once'), created_at: z.string() })
  .openapi('CreatedUser')
const CreatedKey = UserKey.extend({ user_key: z.string().describe('Shown once') }).openapi('CreatedUserKey')
const UserPath = z.object({ user_id: cleanText(128) })
const KeyPath = z.object({ user_id: cleanText(128), key_id: cleanText(64) })

const createUserRoute = createRoute({
  method: 'post',
  path: '/users',
  operationId: 'createUser',
  tags: ['Users'],
  summary: 'Create a user',
  description: 'Open on loopback; elsewhere it needs the admin key as Authorization: Bearer.',
  middleware: jsonBody(SMALL_BODY, requireAdmin),
  request: { body: jsonRequest(CreateUserInput) },
  responses: { 201: jsonResponse(CreatedUserBody, 'Created'), ...errorResponses(400, 401, 404, 409, 413, 415, 422) },
})

const createKeyRoute = createRoute({
  method: 'post',
  path: '/users/{user_id}/keys',
  operationId: 'createUserKey',
  tags: ['Users'],
  summary: 'Make another key',
  description: `A user may have ${MAX_USER_KEYS} valid keys; another is refused with 409.`,
  request: { params: UserPath, query: CredentialQuery },
  responses: { 201: jsonResponse(CreatedKey, 'Created'), ...errorResponses(401, 404, 409, 422) },
})

const listKeysRoute = createRoute({
  method: 'get',
  path: '/users/{user_id}/keys',
  operationId: 'listUserKeys',
  tags: ['Users'],
  summary: 'List the valid keys',
  request: { params: UserPath, query: CredentialQuery },
  responses: { 200: jsonResponse(z.object({ keys: z.array(UserKey) }), 'The keys'), ...errorResponses(401, 404, 422) },
})

const revokeKeyRoute = createRoute({
  method: 'delete',
  path: '/users/{user_id}/keys/{key_id}',
  operationId: 'revokeUserKey',
  tags: ['Users'],
  summary: 'Revoke a key',
  request: { params: KeyPath, query: CredentialQuery },
  responses: { 204: { description: 'Revoked' }, ...errorResponses(401, 404, 409, 422) },
})

export function userRoutes() {
  const router = createRouter()

  router.openapi(createUserRoute, (c) =>
    answerOnce(c, async (claim) => {
      const ctx = systemContext(c)
      const input = c.req.valid('json')
      await claim.begin(ctx, input)
      const render = ({ userId, userKey, createdAt }: CreatedUser) =>
        answer(201, { user_id: userId, user_key: userKey, created_at: createdAt.toISOString() })
      return render(
        await createUser(
          ctx,
          'default',
          input,
          claim.keep(render, ({ id }) => ({ userId: id })),
        ),
      )
    }),
  )

  router.openapi(createKeyRoute, (c) =>
    answerOnce(c, async (claim) => {
      const ctx = await authenticate(c, c.req.valid('query'))
      await claim.begin(ctx)
      const render = (key: CreatedUserKey) => answer(201, { ...toUserKey(key), user_key: key.secret })
      return render(await createUserKey(ctx, c.req.valid('param').user_id, claim.keep(render)))
    }),
  )

  router.openapi(listKeysRoute, async (c) => {
    const ctx = await authenticate(c, c.req.valid('query'))
    const keys = await listUserKeys(ctx, c.req.valid('param').user_id)
    return c.json({ keys: keys.map(toUserKey) }, 200)
  })

  router.openapi(revokeKeyRoute, (c) =>
    answerOnce(c, async (claim) => {
      const ctx = await authenticate(c, c.req.valid('query'))
      const { user_id: userId, key_id: keyId } = c.req.valid('param')
      await claim.begin(ctx)
      await revokeUserKey(
        ctx,
        userId,
        keyId,
        claim.keep(() => deleted()),
      )
      return deleted()
    }),
  )

  return router
}
