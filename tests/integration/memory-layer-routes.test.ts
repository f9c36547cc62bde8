import { beforeAll, describe, expect, it } from 'vitest'
import { call } from '../helpers/client.ts'
import { addPlan, type DialectRequest, makeApp, otherSlash, send } from '../helpers/dialects.ts'
import { sharedGateway, type TestGateway } from '../helpers/gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await sharedGateway()
})

const ada = 'john_doe@gmail.com'
const unknownId = 'e32754fa-9b24-4c3e-b8f1-2a1c9d3e4f56'
const unknownFields = { surprise: true, user_id: 'x' }

interface Route extends DialectRequest {
  readonly scope: 'read' | 'write' | 'admin'
  readonly status: number
}

/** Every route, with a valid request. */
const routes: readonly Route[] = [
  {
    method: 'POST',
    path: '/v1/memory/',
    body: { content: 'Likes tea', external_user_id: ada },
    scope: 'write',
    status: 201,
  },
  { method: 'POST', path: '/v1/memory/search', body: { query: 'tea' }, scope: 'read', status: 200 },
  { method: 'GET', path: '/v1/memory/search?query=tea&surprise=1', scope: 'read', status: 200 },
  { method: 'GET', path: '/v1/memory/?limit=20&offset=0&surprise=1', scope: 'read', status: 200 },
  { method: 'GET', path: '/v1/memory/stats', scope: 'read', status: 200 },
  { method: 'GET', path: `/v1/memory/${unknownId}`, scope: 'read', status: 404 },
  { method: 'GET', path: `/v1/memory/${unknownId}/files/att_unknown`, scope: 'read', status: 404 },
  { method: 'DELETE', path: `/v1/memory/${unknownId}`, scope: 'write', status: 404 },
  { method: 'POST', path: '/v1/chat/', body: { message: 'Hi', external_user_id: ada }, scope: 'write', status: 503 },
  { method: 'POST', path: '/v1/chat/legacy', body: { message: 'Hi' }, scope: 'write', status: 503 },
  { method: 'POST', path: '/v1/memory/summarize', scope: 'write', status: 200 },
  {
    method: 'POST',
    path: '/v1/memory/prune?max_age_days=90&min_importance=0.1&dry_run=true',
    scope: 'write',
    status: 200,
  },
  { method: 'POST', path: '/v1/memory/maintenance/all', scope: 'write', status: 200 },
  { method: 'POST', path: '/v1/keys/', body: { name: 'Production Key' }, scope: 'admin', status: 201 },
  { method: 'GET', path: '/v1/keys/', scope: 'admin', status: 200 },
  { method: 'POST', path: '/v1/keys/key_abc123/revoke', scope: 'admin', status: 404 },
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
    const native = `uk_${'a'.repeat(43)}`
    for (const key of [undefined, 'mgk_live_wrong', native]) {
      const { status, body, headers } = await send(gateway.url, request, key)
      expect([status, body]).toEqual([401, { detail: 'Invalid or missing API key' }])
      expect(headers.get('www-authenticate')).toBe('Bearer')
    }
  })

  it('wants a key that may do so', async () => {
    const scopes = { read: ['write'], write: ['read'], admin: ['read', 'write'] }[route.scope]
    const app = await makeApp(gateway, { scopes })
    const { status, body } = await send(gateway.url, request, app.key)
    expect([status, Object.keys(body)]).toEqual([403, ['detail']])
  })
})

describe('what the API does not have', () => {
  it.each([
    ['GET', '/v1/memory/a/b'],
    ['PUT', '/v1/memory/'],
    ['PATCH', `/v1/memory/${unknownId}`],
    ['POST', '/v1/memory/unknown'],
    ['GET', '/v1/chat/'],
    ['DELETE', '/v1/keys/'],
    ['GET', '/v1/keys/key_1'],
    ['GET', '/v1/chat'],
  ])('is not found: %s %s', async (method, path) => {
    const { status, body } = await call(gateway.url + path, { method })
    expect([status, body]).toEqual([404, { detail: 'Not Found' }])
  })

  it('is left to others who serve it beside', async () => {
    const { body } = await call(`${gateway.url}/v1/memories`)
    expect(body.error.code).toBe('not_found')
  })
})

describe('a request that is not valid', () => {
  const post = async (path: string, body: unknown) => {
    const app = await makeApp(gateway, { scopes: ['admin'] })
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const headers = { authorization: `Bearer ${app.key}`, 'content-type': 'application/json' }
    return call(gateway.url + path, { method: 'POST', headers, body: text })
  }

  it('gets an envelope with its faults', async () => {
    const { status, body } = await post('/v1/memory/search', {})
    expect(status).toBe(422)
    expect(body).toEqual({
      status: 'error',
      message: 'Validation error',
      details: [{ type: 'missing', loc: ['body', 'query'], msg: 'Field required' }],
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    })
  })

  const user = { external_user_id: ada }
  it.each([
    [
      '/v1/memory/',
      {},
      [
        ['missing', 'content'],
        ['missing', 'external_user_id'],
      ],
    ],
    ['/v1/memory/', { content: 'x' }, [['missing', 'external_user_id']]],
    ['/v1/memory/', { content: 1, ...user }, [['string_type', 'content']]],
    ['/v1/memory/', { content: null, ...user }, [['string_type', 'content']]],
    ['/v1/memory/', { content: '', ...user }, [['string_too_short', 'content']]],
    ['/v1/memory/', { content: '  ', ...user }, [['value_error', 'content']]],
    ['/v1/memory/', { content: 'x'.repeat(100_001), ...user }, [['string_too_long', 'content']]],
    ['/v1/memory/', { content: 'a\0b', ...user }, [['value_error', 'content']]],
    ['/v1/memory/', { content: 'x', external_user_id: 5 }, [['string_type', 'external_user_id']]],
    ['/v1/memory/', { content: 'x', external_user_id: '' }, [['string_too_short', 'external_user_id']]],
    ['/v1/memory/', { content: 'x', external_user_id: 'x'.repeat(257) }, [['string_too_long', 'external_user_id']]],
    ['/v1/memory/', { content: 'x', ...user, metadata: 'text' }, [['dict_type', 'metadata']]],
    ['/v1/memory/search', { query: 'x', limit: 0 }, [['greater_than_equal', 'limit']]],
    ['/v1/memory/search', { query: 'x', limit: 101 }, [['less_than_equal', 'limit']]],
    ['/v1/memory/search', { query: 'x', limit: 1.5 }, [['int_from_float', 'limit']]],
    ['/v1/memory/search', { query: 'x', limit: 'ten' }, [['int_parsing', 'limit']]],
    ['/v1/memory/search', { query: 'x', limit: null }, [['int_type', 'limit']]],
    ['/v1/memory/search', { query: 'x', similarity_threshold: 1.1 }, [['less_than_equal', 'similarity_threshold']]],
    ['/v1/memory/search', { query: 'x', similarity_threshold: -0.1 }, [['greater_than_equal', 'similarity_threshold']]],
    ['/v1/memory/search', { query: 'x', similarity_threshold: [] }, [['float_type', 'similarity_threshold']]],
    ['/v1/memory/search', { query: 'x', similarity_threshold: 'much' }, [['float_parsing', 'similarity_threshold']]],
    ['/v1/chat/', { message: 'x'.repeat(8_001), ...user }, [['string_too_long', 'message']]],
    ['/v1/chat/', { message: 'x' }, [['missing', 'external_user_id']]],
    ['/v1/chat/', { message: 'x', ...user, top_k: 21 }, [['less_than_equal', 'top_k']]],
    ['/v1/chat/legacy', { message: 'x', top_k: 0 }, [['greater_than_equal', 'top_k']]],
    ['/v1/keys/', {}, [['missing', 'name']]],
  ])('%s %j', async (path, body, faults) => {
    const answer = await post(path, body)
    expect(answer.status).toBe(422)
    const found = answer.body.details.map(({ type, loc }: { type: string; loc: string[] }) => [type, ...loc])
    expect(found).toEqual(faults.map(([type, field]) => [type, 'body', field]))
  })

  it('takes numbers as text at their bounds', async () => {
    for (const limit of [1, 100, '100', ' 7 ']) {
      expect((await post('/v1/memory/search', { query: 'x', limit, similarity_threshold: '1' })).status).toBe(200)
    }
  })

  it.each([
    ['', { type: 'missing', loc: ['body'], msg: 'Field required' }],
    ['{"query": }', { type: 'json_invalid', loc: ['body', expect.any(Number)], msg: 'JSON decode error' }],
    ['{"query"', { type: 'json_invalid', loc: ['body', expect.any(Number)], msg: 'JSON decode error' }],
    [
      '[1]',
      {
        type: 'model_attributes_type',
        loc: ['body'],
        msg: 'Input should be a valid dictionary or object to extract fields from',
      },
    ],
  ])('with the body %j', async (text, fault) => {
    const { status, body } = await post('/v1/memory/search', text)
    expect([status, body.details]).toEqual([422, [fault]])
  })

  it.each([
    ['GET', '/v1/memory/?limit=0', 'greater_than_equal', 'limit'],
    ['GET', '/v1/memory/?limit=201', 'less_than_equal', 'limit'],
    ['GET', '/v1/memory/?limit=x', 'int_parsing', 'limit'],
    ['GET', '/v1/memory/?offset=-1', 'greater_than_equal', 'offset'],
    ['GET', '/v1/memory/search', 'missing', 'query'],
    ['GET', '/v1/memory/search?query=x&limit=101', 'less_than_equal', 'limit'],
    ['POST', '/v1/memory/prune?dry_run=perhaps', 'bool_parsing', 'dry_run'],
    ['POST', '/v1/memory/prune?min_importance=2', 'less_than_equal', 'min_importance'],
    ['POST', '/v1/memory/prune?max_age_days=-1', 'greater_than_equal', 'max_age_days'],
  ])('%s %s', async (method, path, type, field) => {
    const app = await makeApp(gateway)
    const { status, body } = await send(gateway.url, { method, path }, app.key)
    expect([status, body.details]).toEqual([422, [{ type, loc: ['query', field], msg: expect.any(String) }]])
  })

  it('gets its faults also for a form', async () => {
    const app = await makeApp(gateway)
    const { status, body } = await app.upload('/v1/memory/', { content: 'x', metadata: '{' }, [])
    expect([status, body.details]).toEqual([
      422,
      [{ type: 'json_invalid', loc: ['body', 'metadata'], msg: 'Invalid JSON' }],
    ])
  })

  it('with a body that is too large is refused', async () => {
    const { status, body } = await post('/v1/memory/', `{"content":"${'x'.repeat(2 * 1024 * 1024)}"}`)
    expect([status, Object.keys(body)]).toEqual([413, ['detail']])
  })
})

describe('a plan', () => {
  it('shows what is left, and refuses what is beyond it', async () => {
    const plan = addPlan(gateway, 'ml-two-adds', { addsPerMonth: 2, requestsPerMinute: 100 })
    const app = await makeApp(gateway, { plan })
    const add = () => app.post('/v1/memory/', { content: 'Likes tea', external_user_id: ada })
    const first = await add()
    const limits = (answer: typeof first) =>
      ['limit', 'remaining', 'reset'].map((name) => answer.headers.get(`x-ratelimit-${name}`))
    expect([first.status, ...limits(first)]).toEqual([201, '2', '1', expect.stringMatching(/^\d{10}$/)])
    expect((await add()).status).toBe(201)
    const refused = await add()
    expect([refused.status, refused.body]).toEqual([429, { detail: 'Rate limit exceeded. Upgrade your plan or wait.' }])
    expect(limits(refused)).toEqual(['2', '0', expect.stringMatching(/^\d{10}$/)])
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await app.get('/v1/memory/')).body.total_count).toBe(2)
  })

  it('bounds searches, also those of a chat', async () => {
    const plan = addPlan(gateway, 'ml-one-search', { searchesPerDay: 1 })
    const app = await makeApp(gateway, { plan })
    expect((await app.post('/v1/memory/search', { query: 'tea' })).status).toBe(200)
    expect((await app.get('/v1/memory/search?query=tea')).status).toBe(429)
    expect((await app.post('/v1/chat/', { message: 'tea?', external_user_id: ada })).status).toBe(429)
    expect((await app.get('/v1/memory/')).status).toBe(200)
  })
})
