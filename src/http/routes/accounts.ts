import { createRoute, z } from '@hono/zod-openapi'
import { createAccount } from '../../domain/accounts/create-account.ts'
import { getAccount, listAccounts } from '../../domain/accounts/list-accounts.ts'
import { listEndUsers } from '../../domain/accounts/list-end-users.ts'
import type { AccountRow } from '../../domain/accounts/queries.ts'
import {
  CreateAccountInput,
  ListAccountsInput,
  ListEndUsersInput,
  UpdateAccountInput,
} from '../../domain/accounts/schemas.ts'
import { updateAccount } from '../../domain/accounts/update-account.ts'
import { eraseUser } from '../../domain/erasure/erase-user.ts'
import { cleanText, nameId } from '../../domain/text-schemas.ts'
import { getUsage } from '../../domain/usage/get-usage.ts'
import { UsageInput } from '../../domain/usage/schemas.ts'
import { Account, EndUser, toAccount, toEndUser, toUsage, Usage } from '../account-bodies.ts'
import { adminOnly, requireAdminKey, systemContext } from '../context.ts'
import { jsonBody } from '../middleware/json-body.ts'
import { answer, answerOnce } from '../once.ts'
import { createRouter } from '../router.ts'
import { BegunErasure, begunErasure, errorResponses, jsonRequest, jsonResponse, nextCursor } from '../schemas.ts'

const SMALL_BODY = 64 * 1024
const AccountPath = z.object({ account_id: cleanText(64) })
const operator = { tags: ['Accounts'], security: [{ adminKey: [] }], middleware: adminOnly }
const operatorBody = { ...operator, middleware: jsonBody(SMALL_BODY, requireAdminKey) }

const createAccountRoute = createRoute({
  ...operatorBody,
  method: 'post',
  path: '/admin/accounts',
  operationId: 'createAccount',
  summary: 'Create an account',
  description: 'An account owns service keys and end users. Names are labels: two accounts may have the same.',
  request: { body: jsonRequest(CreateAccountInput) },
  responses: { 201: jsonResponse(Account, 'Created'), ...errorResponses(400, 401, 404, 409, 413, 415, 422) },
})

const listAccountsRoute = createRoute({
  ...operator,
  method: 'get',
  path: '/admin/accounts',
  operationId: 'listAccounts',
  summary: 'List the accounts, newest first',
  request: { query: ListAccountsInput },
  responses: {
    200: jsonResponse(z.object({ accounts: z.array(Account), ...nextCursor }), 'A page'),
    ...errorResponses(401, 422),
  },
})

const getAccountRoute = createRoute({
  ...operator,
  method: 'get',
  path: '/admin/accounts/{account_id}',
  operationId: 'getAccount',
  summary: 'Read an account',
  request: { params: AccountPath },
  responses: { 200: jsonResponse(Account, 'The account'), ...errorResponses(401, 404, 422) },
})

const updateAccountRoute = createRoute({
  ...operatorBody,
  method: 'patch',
  path: '/admin/accounts/{account_id}',
  operationId: 'updateAccount',
  summary: 'Rename an account, or put it under another plan',
  description: 'A plan of null lifts all limits.',
  request: { params: AccountPath, body: jsonRequest(UpdateAccountInput) },
  responses: { 200: jsonResponse(Account, 'Changed'), ...errorResponses(400, 401, 404, 409, 413, 415, 422) },
})

const usageRoute = createRoute({
  ...operator,
  method: 'get',
  path: '/admin/accounts/{account_id}/usage',
  operationId: 'getAccountUsage',
  summary: 'What an account used, by day and key, and how far it is from its limits',
  description: 'Days and months are UTC. Default: the current month until today.',
  request: { params: AccountPath, query: UsageInput },
  responses: { 200: jsonResponse(Usage, 'A page of days, and the state now'), ...errorResponses(401, 404, 422) },
})

const listUsersRoute = createRoute({
  ...operator,
  method: 'get',
  path: '/admin/accounts/{account_id}/users',
  operationId: 'listEndUsers',
  summary: 'List the end users of an account, newest first',
  request: { params: AccountPath, query: ListEndUsersInput },
  responses: {
    200: jsonResponse(z.object({ users: z.array(EndUser), ...nextCursor }), 'A page'),
    ...errorResponses(401, 404, 422),
  },
})

const eraseUserRoute = createRoute({
  ...operator,
  method: 'delete',
  path: '/admin/accounts/{account_id}/users',
  operationId: 'eraseEndUser',
  summary: 'Erase an end user with everything that is theirs',
  description: 'In one project. The name is free for somebody new.',
  request: {
    params: AccountPath,
    query: z.strictObject({ project_id: nameId.default('default'), user_id: cleanText(256).min(1) }),
  },
  responses: { 202: begunErasure, ...errorResponses(401, 404, 409, 422) },
})

const created = (row: AccountRow) => answer(201, toAccount(row))
const changed = (row: AccountRow) => answer(200, toAccount(row))
const begun = (erasureId: string) => ({
  ...answer(202, { erasure_id: erasureId, status: 'processing' } satisfies z.infer<typeof BegunErasure>),
  headers: { Location: `/erasures/${erasureId}` },
})

export function accountRoutes() {
  const router = createRouter()

  router.openapi(createAccountRoute, (c) =>
    answerOnce(c, async (claim) => {
      const ctx = systemContext(c)
      const input = c.req.valid('json')
      await claim.begin(ctx, input)
      return created(await createAccount(ctx, input, claim.keep(created)))
    }),
  )

  router.openapi(listAccountsRoute, async (c) => {
    const { items, nextCursor: next_cursor } = await listAccounts(systemContext(c), c.req.valid('query'))
    return c.json({ accounts: items.map(toAccount), next_cursor }, 200)
  })

  router.openapi(getAccountRoute, async (c) => {
    return c.json(toAccount(await getAccount(systemContext(c), c.req.valid('param').account_id)), 200)
  })

  router.openapi(updateAccountRoute, (c) =>
    answerOnce(c, async (claim) => {
      const ctx = systemContext(c)
      const input = c.req.valid('json')
      await claim.begin(ctx, input)
      return changed(await updateAccount(ctx, c.req.valid('param').account_id, input, claim.keep(changed)))
    }),
  )

  router.openapi(usageRoute, async (c) => {
    const usage = await getUsage(systemContext(c), c.req.valid('param').account_id, c.req.valid('query'))
    return c.json(toUsage(usage), 200)
  })

  router.openapi(listUsersRoute, async (c) => {
    const { account_id: accountId } = c.req.valid('param')
    const { items, nextCursor: next_cursor } = await listEndUsers(systemContext(c), accountId, c.req.valid('query'))
    return c.json({ users: items.map(toEndUser), next_cursor }, 200)
  })

  router.openapi(eraseUserRoute, (c) =>
    answerOnce(c, async (claim) => {
      const ctx = systemContext(c)
      const { account_id: accountId } = c.req.valid('param')
      const { project_id: projectId, user_id: externalId } = c.req.valid('query')
      // A user_id in a query is otherwise a credential, and so no part of what is asked.
      await claim.begin(ctx, { user_id: externalId })
      const user = { accountId, projectId, kind: 'end_user' as const, externalId }
      return begun(await eraseUser(ctx, user, claim.keep(begun)))
    }),
  )

  return router
}
