import { beforeAll, describe, expect, it } from 'vitest'
import { call } from '../helpers/client.ts'
import { addPlan, type DialectRequest, makeApp, otherSlash, send } from '../helpers/dialects.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await sharedGateway()
})

const messages = [{ role: 'user', content: 'I love TypeScript' }]
const unknownId = 'e32754fa-9b24-4c3e-b8f1-2a1c9d3e4f56'
const unknownFields = { surprise: true, owner_id: 'x' }

interface Route extends DialectRequest {
  readonly scope: 'read' | 'write'
  readonly status: number
}

/** Every route, with a valid request. */
const routes: readonly Route[] = [
  { method: 'POST', path: '/api/v1/memories', body: { messages }, scope: 'write', status: 200 },
  { method: 'GET', path: '/api/v1/memories?surprise=1', scope: 'read', status: 200 },
  { method: 'GET', path: '/api/v1/memories/search?query=x', scope: 'read', status: 200 },
  { method: 'GET', path: `/api/v1/memories/${unknownId}`, scope: 'read', status: 404 },
  { method: 'GET', path: `/api/v1/memories/${unknownId}/files/att_1`, scope: 'read', status: 404 },
  { method: 'PATCH', path: `/api/v1/memories/${unknownId}`, body: { content: 'x' }, scope: 'write', status: 404 },
  { method: 'DELETE', path: `/api/v1/memories/${unknownId}?hard=true`, scope: 'write', status: 404 },
  { method: 'DELETE', path: '/api/v1/memories/batch', body: { memory_ids: [unknownId] }, scope: 'write', status: 200 },
  { method: 'POST', path: '/api/v1/memories/agents', body: { messages, agent_name: 'a' }, scope: 'write', status: 200 },
  { method: 'GET', path: '/api/v1/memories/agents?agent_id=a', scope: 'read', status: 200 },
  { method: 'POST', path: '/api/v1/memories/reflect', body: {}, scope: 'write', status: 200 },
  { method: 'POST', path: '/api/v1/memories/consolidate', body: {}, scope: 'write', status: 200 },
  {
    method: 'POST',
    path: '/api/v1/memories/import',
    body: { memories: [{ content: 'x' }] },
    scope: 'write',
    status: 200,
  },
  { method: 'POST', path: '/api/v1/memories/export', body: {}, scope: 'read', status: 200 },
  { method: 'GET', path: '/api/v1/auto-maintenance/config', scope: 'read', status: 200 },
  { method: 'POST', path: '/api/v1/auto-maintenance/config', body: {}, scope: 'write', status: 200 },
  { method: 'GET', path: '/api/v1/stats', scope: 'read', status: 200 },
  { method: 'GET', path: '/api/v1/graph', scope: 'read', status: 200 },
]

describe.each(routes)('$method $path', (route) => {
  const request = route.body === undefined ? route : { ...route, body: { ...route.body, ...unknownFields } }

  it('takes unknown fields, and a path with and without a slash at its end', async () => {
    const app = await makeApp(gateway, { scopes: [route.scope] })
    for (const path of [route.path, otherSlash(route.path)]) {
      const { status, headers, body } = await send(gateway.url, request, app.key, path)
      expect([path, status], JSON.stringify(body)).toEqual([path, route.status])
      expect(headers.get('x-request-id')).toMatch(/^[\w-]+$/)
    }
  })

  it('wants a key that is right', async () => {
    for (const key of [undefined, 'mgk_live_wrong', `uk_${'a'.repeat(43)}`]) {
      const { status, body } = await send(gateway.url, request, key)
      expect([status, body]).toEqual([401, { error: 'Invalid API key' }])
    }
  })

  it('wants a key that may do so', async () => {
    const app = await makeApp(gateway, { scopes: [route.scope === 'read' ? 'write' : 'read'] })
    const { status, body } = await send(gateway.url, request, app.key)
    expect([status, Object.keys(body)]).toEqual([403, ['error']])
  })
})

describe('the key', () => {
  it('comes in either header, and the standard one counts', async () => {
    const app = await makeApp(gateway)
    const ask = (headers: Record<string, string>) => call(`${gateway.url}/api/v1/memories`, { headers })
    expect((await ask({ 'x-api-key': app.key })).status).toBe(200)
    expect((await ask({ 'x-api-key': app.key, authorization: `Bearer ${app.key}` })).status).toBe(200)
    expect((await ask({ 'x-api-key': app.key, authorization: 'Bearer mgk_live_wrong' })).status).toBe(401)
  })
})

describe('what the API does not have', () => {
  it.each([
    ['GET', '/api/v1'],
    ['GET', '/api/v1/memories/a/b'],
    ['PUT', '/api/v1/memories'],
    ['POST', '/api/v1/memories/unknown'],
    ['DELETE', '/api/v1/stats'],
    ['GET', '/api/v1/unknown'],
  ])('is not found: %s %s', async (method, path) => {
    const { status, body } = await call(gateway.url + path, { method })
    expect([status, body]).toEqual([404, { error: 'Not found' }])
  })
})

describe('a request that is not valid', () => {
  const role = 'user'
  it.each([
    ['POST', '/memories', {}, { messages: ['Required'] }],
    ['POST', '/memories', { messages: 'x' }, { messages: ['Expected array, received string'] }],
    ['POST', '/memories', { messages: [] }, { messages: ['Array must contain at least 1 element(s)'] }],
    [
      'POST',
      '/memories',
      { messages: Array.from({ length: 101 }, () => ({ role, content: 'x' })) },
      { messages: ['Array must contain at most 100 element(s)'] },
    ],
    ['POST', '/memories', { messages: [{ content: 'x' }] }, { messages: ['Required'] }],
    [
      'POST',
      '/memories',
      { messages: [{ role: 'robot', content: 'x' }] },
      { messages: ["Invalid enum value. Expected 'user' | 'assistant' | 'system'"] },
    ],
    [
      'POST',
      '/memories',
      { messages: [{ role, content: '' }] },
      { messages: ['String must contain at least 1 character(s)'] },
    ],
    ['POST', '/memories', { messages, user_id: 5 }, { user_id: ['Expected string, received number'] }],
    ['POST', '/memories', { messages, metadata: [] }, { metadata: ['Expected record, received array'] }],
    ['GET', '/memories?limit=0', undefined, { limit: ['Number must be greater than or equal to 1'] }],
    ['GET', '/memories?limit=101', undefined, { limit: ['Number must be less than or equal to 100'] }],
    ['GET', '/memories?limit=x', undefined, { limit: ['Expected number, received string'] }],
    ['GET', '/memories?order=up', undefined, { order: ["Invalid enum value. Expected 'asc' | 'desc'"] }],
    ['GET', '/memories?min_confidence=2', undefined, { min_confidence: ['Number must be less than or equal to 1'] }],
    ['GET', '/memories/search', undefined, { query: ['Required'] }],
    ['GET', '/memories/search?query=%20', undefined, { query: ['Search query is required'] }],
    ['GET', '/memories/search?query=x&limit=51', undefined, { limit: ['Number must be less than or equal to 50'] }],
    ['PATCH', `/memories/${unknownId}`, { content: ' ' }, { content: ['Content cannot be empty'] }],
    ['PATCH', `/memories/${unknownId}`, { confidence: 2 }, { confidence: ['Number must be less than or equal to 1'] }],
    ['DELETE', '/memories/batch', { memory_ids: [] }, { memory_ids: ['Array must contain at least 1 element(s)'] }],
    [
      'POST',
      '/memories/reflect',
      { timeWindowDays: 91 },
      { timeWindowDays: ['Number must be less than or equal to 90'] },
    ],
    [
      'POST',
      '/memories/consolidate',
      { similarity_threshold: -1 },
      { similarity_threshold: ['Number must be greater than or equal to 0'] },
    ],
    ['POST', '/memories/export', { format: 'xml' }, { format: ["Invalid enum value. Expected 'json' | 'csv'"] }],
    ['POST', '/memories/import', { memories: [{ content: 5 }] }, { memories: ['Expected string, received number'] }],
    [
      'POST',
      '/auto-maintenance/config',
      { reflection_frequency: 'hourly' },
      { reflection_frequency: ["Invalid enum value. Expected 'daily' | 'weekly' | 'monthly'"] },
    ],
  ])('%s %s %j', async (method, path, body, fieldErrors) => {
    const app = await makeApp(gateway)
    const answer = await send(gateway.url, { method, path: `/api/v1${path}`, body }, app.key)
    expect([answer.status, answer.body]).toEqual([400, { error: 'Invalid request payload', details: { fieldErrors } }])
  })

  it('names what is no field’s fault', async () => {
    const app = await makeApp(gateway)
    const post = async (body: string) => {
      const headers = { authorization: `Bearer ${app.key}` }
      return (await call(`${gateway.url}/api/v1/memories`, { method: 'POST', headers, body })).body
    }
    const error = 'Invalid request payload'
    expect(await post('{')).toEqual({
      error,
      details: { formErrors: ['The body is not valid JSON'], fieldErrors: {} },
    })
    expect(await post('[]')).toEqual({
      error,
      details: { formErrors: ['Expected object, received array'], fieldErrors: {} },
    })
    const nothing = await app.send('PATCH', `/api/v1/memories/${unknownId}`, { unknown: 1 })
    expect(nothing.body.details.formErrors).toEqual(['At least one field must be provided for update'])
  })
})

describe('a plan', () => {
  it('bounds the requests of a month, with the headers that clients read', async () => {
    const plan = addPlan(gateway, 'ms-two-requests', { requestsPerMonth: 2 })
    const app = await makeApp(gateway, { plan })
    const limits = async () => {
      const { status, body, headers } = await app.get('/api/v1/memories')
      const values = ['limit', 'remaining', 'reset'].map((name) => headers.get(`x-ratelimit-${name}`))
      return [status, body.error, ...values, headers.get('retry-after') !== null]
    }
    const reset = expect.stringMatching(/^\d{10}$/)
    expect(await limits()).toEqual([200, undefined, '2', '1', reset, false])
    expect(await limits()).toEqual([200, undefined, '2', '0', reset, false])
    expect(await limits()).toEqual([429, 'Monthly API limit exceeded', '2', '0', reset, true])
  })

  it('tells a limit of a minute from one of a month', async () => {
    const plan = addPlan(gateway, 'ms-one-a-minute', { requestsPerMinute: 1 })
    const app = await makeApp(gateway, { plan })
    const answers = [await app.get('/api/v1/graph'), await app.get('/api/v1/graph'), await app.get('/api/v1/graph')]
    // A minute may end between two of them.
    const refused = answers.find(({ status }) => status === 429)
    expect(refused?.body).toEqual({ error: 'Rate limit exceeded' })
  })

  it('counts each memory that is added, and keeps none beyond it', async () => {
    const plan = addPlan(gateway, 'ms-three-adds', { addsPerMonth: 3 })
    const app = await makeApp(gateway, { plan })
    const add = (count: number) =>
      app.post('/api/v1/memories/import', { memories: Array.from({ length: count }, () => ({ content: 'x' })) })
    expect((await add(2)).status).toBe(200)
    expect((await add(2)).status).toBe(429)
    expect((await app.post('/api/v1/memories', { messages })).status).toBe(200)
    expect((await app.post('/api/v1/memories', { messages })).body).toEqual({ error: 'Monthly API limit exceeded' })
    expect((await app.get('/api/v1/memories')).body.count).toBe(3)
  })
})
