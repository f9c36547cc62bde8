import type { Request } from './game.ts'
import type { Operation } from './operations.ts'

const account = '/admin/accounts/default'
const key = `${account}/keys/key_1`

/** What is the operator's alone: a user's key opens none of it. */
const requests: Readonly<Record<string, Request>> = {
  'POST /admin/accounts': { method: 'POST', path: '/admin/accounts', json: { name: 'Mine' } },
  'GET /admin/accounts': { method: 'GET', path: '/admin/accounts' },
  'GET /admin/accounts/{account_id}': { method: 'GET', path: account },
  'PATCH /admin/accounts/{account_id}': { method: 'PATCH', path: account, json: { name: 'Mine' } },
  'GET /admin/accounts/{account_id}/usage': { method: 'GET', path: `${account}/usage` },
  'GET /admin/accounts/{account_id}/users': { method: 'GET', path: `${account}/users` },
  'DELETE /admin/accounts/{account_id}/users': {
    method: 'DELETE',
    path: `${account}/users`,
    query: { project_id: 'p' },
  },
  'POST /admin/accounts/{account_id}/keys': { method: 'POST', path: `${account}/keys`, json: { name: 'Mine' } },
  'GET /admin/accounts/{account_id}/keys': { method: 'GET', path: `${account}/keys` },
  'DELETE /admin/accounts/{account_id}/keys/{key_id}': { method: 'DELETE', path: key },
  'POST /admin/accounts/{account_id}/keys/{key_id}/rotate': { method: 'POST', path: `${key}/rotate`, json: {} },
}

export const accountOperations: Readonly<Record<string, Operation>> = Object.fromEntries(
  Object.entries(requests).map(([route, request]): [string, Operation] => [
    route,
    {
      weight: 0.2,
      async run(game, me, step) {
        game.expect(me, await game.askPlainly(me, step, request), 401)
      },
    },
  ]),
)
