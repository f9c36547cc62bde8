import { createRoute, z } from '@hono/zod-openapi'
import { eraseUser } from '../../domain/erasure/erase-user.ts'
import { getErasure } from '../../domain/erasure/get-erasure.ts'
import { cleanText } from '../../domain/text-schemas.ts'
import { requireSelf } from '../../domain/users/user-keys.ts'
import { authenticate, type HttpContext, isAdmin, systemContext } from '../context.ts'
import { toErasure } from '../dto.ts'
import { answer, answerOnce } from '../once.ts'
import { createRouter } from '../router.ts'
import { begunErasure, CredentialQuery, Erasure, errorResponses, jsonResponse } from '../schemas.ts'

const tags = ['Erasures']

const eraseUserRoute = createRoute({
  method: 'delete',
  path: '/users/{user_id}',
  operationId: 'eraseUser',
  tags,
  summary: 'Erase a user with everything that is theirs',
  description:
    'With a key of the user, or with the admin key. All keys of the user die at once. The name is free for somebody new.',
  request: {
    params: z.object({ user_id: cleanText(128) }),
    query: CredentialQuery,
  },
  responses: {
    202: begunErasure,
    ...errorResponses(401, 404, 409, 422),
  },
})

const getRoute = createRoute({
  method: 'get',
  path: '/erasures/{erasure_id}',
  operationId: 'getErasure',
  tags,
  summary: 'The receipt of a deletion',
  description:
    'Needs no key: the key of an erased user is dead, and the id, which only the answer to the deletion tells, cannot be guessed.',
  security: [],
  request: { params: z.object({ erasure_id: cleanText(64) }), query: CredentialQuery },
  responses: { 200: jsonResponse(Erasure, 'How far it is'), ...errorResponses(404, 422) },
})

export function erasureRoutes() {
  const router = createRouter()

  router.openapi(eraseUserRoute, (c) =>
    answerOnce(c, async (claim) => {
      const { user_id: externalId } = c.req.valid('param')
      const ctx = isAdmin(c) ? systemContext(c) : await authenticateSelf(c, externalId)
      const render = (erasureId: string) => ({
        ...answer(202, { erasure_id: erasureId, status: 'processing' as const }),
        headers: { Location: `/erasures/${erasureId}` },
      })
      // A user's own key is dead afterwards: there is nobody to ask again.
      if ('caller' in ctx) return render(await eraseUser(ctx, { accountId: 'default', externalId }))
      await claim.begin(ctx)
      return render(await eraseUser(ctx, { accountId: 'default', externalId }, claim.keep(render)))
    }),
  )

  router.openapi(getRoute, async (c) => {
    return c.json(toErasure(await getErasure(systemContext(c), c.req.valid('param').erasure_id)), 200)
  })

  return router
}

async function authenticateSelf(c: HttpContext, externalUserId: string) {
  const ctx = await authenticate(c, c.req.query())
  requireSelf(ctx, externalUserId)
  return ctx
}
