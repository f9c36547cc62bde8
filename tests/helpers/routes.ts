import { randomBytes } from 'node:crypto'
import { and, eq } from 'drizzle-orm'
import { batches } from '../../src/db/schema/batches.ts'
import { messages as messageRows } from '../../src/db/schema/messages.ts'
import { userResources } from '../../src/db/schema/user-resources.ts'
import { type Answer, call, createUser, type TestUser } from './client.ts'
import type { TestGateway } from './gateway.ts'

/** A user with one of everything, and words that nobody else may see. */
export interface Owned {
  readonly user: TestUser
  readonly ids: Ids
  readonly secrets: readonly string[]
}

export interface Ids {
  readonly user: string
  readonly key: string
  readonly session: string
  readonly conversation: string
  readonly resource: string
  readonly attachment: string
  /** Of a batch that the backend refused. */
  readonly operation: string
  readonly erasure: string
}

interface Request {
  readonly path: string
  readonly json?: Record<string, unknown>
  readonly form?: Record<string, string>
  readonly files?: readonly { field: string; name: string; bytes: string }[]
}

/**
 * Who may call a route.
 * - `anyone`: no key is needed.
 * - `user`: a key is needed.
 * - `admin`: the admin key is needed.
 */
interface Route {
  readonly access: 'anyone' | 'user' | 'admin'
  /** What a valid request of the owner's gets. */
  readonly status: number
  /** What another user gets who names the owner's ids: refused, or an answer with nothing of the owner's. */
  readonly toOthers: number
  readonly request: (ids: Ids) => Request
  /** Brings the owner's things into the state that the request needs. */
  readonly prepare?: (gateway: TestGateway, ids: Ids) => Promise<unknown>
}

const said = 'Nothing in particular.'
const messages = (ids: Ids) => [{ sender_id: ids.user, role: 'user', content: said }]
const name = encodeURIComponent

/** Routes of the operator's that name nothing of a user's. */
function operatorRoutes(given: Record<string, Request & { status: number }>): Record<string, Route> {
  return Object.fromEntries(
    Object.entries(given).map(([route, { status, ...request }]): [string, Route] => [
      route,
      { access: 'admin', status, toOthers: 401, request: () => request },
    ]),
  )
}

/** Every route of the OpenAPI document, with a valid request. */
export const routes: Readonly<Record<string, Route>> = {
  'GET /health': { access: 'anyone', status: 200, toOthers: 200, request: () => ({ path: '/health' }) },
  'GET /ready': { access: 'anyone', status: 200, toOthers: 200, request: () => ({ path: '/ready' }) },
  'GET /metrics': { access: 'anyone', status: 200, toOthers: 200, request: () => ({ path: '/metrics' }) },
  'POST /users': {
    access: 'anyone',
    status: 201,
    toOthers: 201,
    request: () => ({ path: '/users', json: { user_id: `made_${randomBytes(6).toString('hex')}` } }),
  },
  'DELETE /users/{user_id}': {
    access: 'user',
    status: 202,
    toOthers: 404,
    request: ({ user }) => ({ path: `/users/${user}` }),
  },
  'POST /users/{user_id}/keys': {
    access: 'user',
    status: 201,
    toOthers: 404,
    request: ({ user }) => ({ path: `/users/${user}/keys` }),
  },
  'GET /users/{user_id}/keys': {
    access: 'user',
    status: 200,
    toOthers: 404,
    request: ({ user }) => ({ path: `/users/${user}/keys` }),
  },
  'DELETE /users/{user_id}/keys/{key_id}': {
    access: 'user',
    status: 204,
    toOthers: 404,
    request: ({ user, key }) => ({ path: `/users/${user}/keys/${key}` }),
  },
  'POST /memories/add/multipart': {
    access: 'user',
    status: 200,
    toOthers: 403,
    request: (ids) => ({
      path: '/memories/add/multipart',
      form: {
        session_id: ids.session,
        messages: JSON.stringify([{ ...messages(ids)[0], content: [{ type: 'doc', upload_id: 'note' }] }]),
      },
      files: [{ field: 'note', name: 'note.txt', bytes: said }],
    }),
  },
  'POST /memories/add': {
    access: 'user',
    status: 200,
    toOthers: 403,
    request: (ids) => ({ path: '/memories/add', json: { session_id: ids.session, messages: messages(ids) } }),
  },
  'POST /memories/flush': {
    access: 'user',
    status: 200,
    toOthers: 404,
    request: ({ session }) => ({ path: '/memories/flush', json: { session_id: session } }),
  },
  'POST /memories/search': {
    access: 'user',
    status: 200,
    toOthers: 200,
    request: ({ conversation }) => ({
      path: '/memories/search',
      json: {
        query: 'harbour',
        scope: ['current_chat', 'resources', 'all_user_memory'],
        conversation_id: conversation,
      },
    }),
  },
  'POST /resources': {
    access: 'user',
    status: 201,
    toOthers: 201,
    request: () => ({
      path: '/resources',
      form: { title: 'A note' },
      files: [{ field: 'file', name: 'note.txt', bytes: said }],
    }),
  },
  'GET /resources': { access: 'user', status: 200, toOthers: 200, request: () => ({ path: '/resources' }) },
  'GET /resources/{resource_id}': {
    access: 'user',
    status: 200,
    toOthers: 404,
    request: ({ resource }) => ({ path: `/resources/${resource}` }),
  },
  'PATCH /resources/{resource_id}': {
    access: 'user',
    status: 200,
    toOthers: 404,
    request: ({ resource }) => ({ path: `/resources/${resource}`, json: { title: 'Another title' } }),
  },
  'DELETE /resources/{resource_id}': {
    access: 'user',
    status: 204,
    toOthers: 404,
    request: ({ resource }) => ({ path: `/resources/${resource}` }),
  },
  'POST /resources/{resource_id}/retry': {
    access: 'user',
    status: 202,
    toOthers: 404,
    request: ({ resource }) => ({ path: `/resources/${resource}/retry` }),
    prepare: ({ services }, { resource }) =>
      services.db.update(userResources).set({ status: 'failed', error: 'X' }).where(eq(userResources.id, resource)),
  },
  'GET /resources/{resource_id}/content': {
    access: 'user',
    status: 200,
    toOthers: 404,
    request: ({ resource }) => ({ path: `/resources/${resource}/content` }),
  },
  'GET /attachments/{attachment_id}/content': {
    access: 'user',
    status: 200,
    toOthers: 404,
    request: ({ attachment }) => ({ path: `/attachments/${attachment}/content` }),
  },
  'GET /sessions': { access: 'user', status: 200, toOthers: 200, request: () => ({ path: '/sessions' }) },
  'GET /sessions/{session_id}/messages': {
    access: 'user',
    status: 200,
    toOthers: 404,
    request: ({ session }) => ({ path: `/sessions/${name(session)}/messages` }),
  },
  'DELETE /sessions/{session_id}': {
    access: 'user',
    status: 204,
    toOthers: 404,
    request: ({ session }) => ({ path: `/sessions/${name(session)}` }),
  },
  'GET /operations': { access: 'user', status: 200, toOthers: 200, request: () => ({ path: '/operations' }) },
  'POST /operations/{operation_id}/retry': {
    access: 'user',
    status: 202,
    toOthers: 404,
    request: ({ operation }) => ({ path: `/operations/${operation}/retry` }),
  },
  'GET /erasures/{erasure_id}': {
    access: 'anyone',
    status: 200,
    toOthers: 200,
    request: ({ erasure }) => ({ path: `/erasures/${erasure}` }),
  },
  'GET /admin/operations': {
    access: 'admin',
    status: 200,
    toOthers: 401,
    request: () => ({ path: '/admin/operations' }),
  },
  'POST /admin/operations/{operation_id}/retry': {
    access: 'admin',
    status: 202,
    toOthers: 401,
    request: ({ operation }) => ({ path: `/admin/operations/${operation}/retry` }),
  },
  ...operatorRoutes({
    'POST /admin/accounts': { status: 201, path: '/admin/accounts', json: { name: 'An account' } },
    'GET /admin/accounts': { status: 200, path: '/admin/accounts' },
    'GET /admin/accounts/{account_id}': { status: 200, path: '/admin/accounts/default' },
    'PATCH /admin/accounts/{account_id}': { status: 200, path: '/admin/accounts/default', json: { plan: null } },
    'GET /admin/accounts/{account_id}/usage': { status: 200, path: '/admin/accounts/default/usage' },
    'GET /admin/accounts/{account_id}/users': { status: 200, path: '/admin/accounts/default/users' },
    'DELETE /admin/accounts/{account_id}/users': { status: 202, path: '/admin/accounts/default/users?user_id=someone' },
    'POST /admin/accounts/{account_id}/keys': {
      status: 201,
      path: '/admin/accounts/default/keys',
      json: { name: 'A key' },
    },
    'GET /admin/accounts/{account_id}/keys': { status: 200, path: '/admin/accounts/default/keys' },
    'DELETE /admin/accounts/{account_id}/keys/{key_id}': { status: 204, path: '/admin/accounts/default/keys/key_1' },
    'POST /admin/accounts/{account_id}/keys/{key_id}/rotate': {
      status: 201,
      path: '/admin/accounts/default/keys/key_1/rotate',
      json: { grace_seconds: 60 },
    },
  }),
}

/** How a request says whose it is: in the header, or as fields of its query, body or form. */
export interface Identity {
  readonly place: 'header' | 'fields'
  readonly key?: string
  readonly userId?: string
}

export function sendTo(base: string, route: string, ids: Ids, { place, key, userId }: Identity): Promise<Answer> {
  const { path, json, form, files = [] } = routes[route]?.request(ids) ?? { path: '/' }
  const given = { ...(userId !== undefined && { user_id: userId }), ...(key !== undefined && { user_key: key }) }
  const fields = place === 'fields' ? given : {}
  const headers: Record<string, string> = {}
  if (place === 'header' && key !== undefined) headers.authorization = `Bearer ${key}`
  if (place === 'header' && userId !== undefined) headers['x-user-id'] = userId
  const method = route.split(' ')[0] ?? 'GET'
  if (json) {
    headers['content-type'] = 'application/json'
    return call(base + path, { method, headers, body: JSON.stringify({ ...json, ...fields }) })
  }
  if (!form) return call(`${base}${path}?${new URLSearchParams(fields).toString()}`, { method, headers })
  const body = new FormData()
  for (const { field, name: fileName, bytes } of files) body.append(field, new Blob([bytes]), fileName)
  for (const [field, value] of Object.entries({ ...form, ...fields })) body.append(field, value)
  return call(base + path, { method, headers, body })
}

export async function createOwned(gateway: TestGateway): Promise<Owned> {
  const user = await createUser(gateway.url)
  const word = () => `w${randomBytes(8).toString('hex')}`
  const [spoken, written, title, fileName] = [word(), word(), word(), `${word()}.txt`]
  const conversation = `talk-${word()}`
  const session = `chat:${conversation}`
  const file = { name: fileName, bytes: Buffer.from(`The harbour of ${written}.`), type: 'text/plain' }
  const added = await user.addMessage(session, `The harbour of ${spoken}.`, [{ field: 'note', kind: 'doc', ...file }])
  await user.post('/memories/flush', { session_id: session })
  const resource = await user.addResource(file, { title })
  const key = await user.post(`/users/${user.id}/keys`)
  const refused = await user.post('/memories/add', {
    session_id: 'chat:refused',
    messages: [{ role: 'user', content: 'x' }],
  })
  const [failed] = await gateway.services.db
    .update(batches)
    .set({ state: 'failed', reason: 'TIMEOUT' })
    .from(messageRows)
    .where(and(eq(messageRows.batchId, batches.id), eq(messageRows.id, refused.body.message_ids[0])))
    .returning({ batchId: batches.id })
  await user.post('/memories/add', { session_id: 'chat:gone', messages: [{ role: 'user', content: 'x' }] })
  const deletion = await user.delete('/sessions/chat:gone')
  const ids = {
    user: user.id,
    key: key.body.key_id,
    session,
    conversation,
    resource: resource.body.resource_id,
    attachment: added.body.attachments[0].attachment_id,
    operation: failed?.batchId ?? '',
    erasure: deletion.headers.get('location')?.split('/').at(-1) ?? '',
  }
  const secrets = [spoken, written, title, fileName, user.key, key.body.user_key]
  return { user, ids, secrets }
}

/** Ids as the gateway would give them, of nothing that exists. */
export function unknownIds(): Ids {
  const word = randomBytes(12).toString('hex')
  return {
    user: `nobody_${word}`,
    key: `key_${word}`,
    session: `chat:${word}`,
    conversation: word,
    resource: `r_${randomBytes(16).toString('hex')}`,
    attachment: `att_${word}`,
    operation: `bat_${word}`,
    erasure: `era_${word}`,
  }
}
