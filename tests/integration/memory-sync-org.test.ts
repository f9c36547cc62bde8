import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApiKey } from '../../src/domain/accounts/create-api-key.ts'
import { call } from '../helpers/client.ts'
import { sharedGateway, startGateway, type TestGateway } from '../helpers/gateway.ts'
import { makeManager, remember, TestManager } from '../helpers/org.ts'
import { makeAccount, systemContextOf } from '../helpers/service.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await sharedGateway()
})

const url = 'https://hooks.invalid/memory'
const events = ['memory.created']

/** Every route, with a valid body where there is one. `:id` is a webhook, `:delivery` one of its deliveries, `:key` a key, `:project` a project. */
const routes: readonly (readonly [method: string, path: string, body?: unknown])[] = [
  ['GET', '/org/webhooks'],
  ['POST', '/org/webhooks', { name: 'n', url, events }],
  ['GET', '/org/webhooks/event-types'],
  ['GET', '/org/webhooks/health'],
  ['GET', '/org/webhooks/deliveries/recent'],
  ['GET', '/org/webhooks/:id'],
  ['PATCH', '/org/webhooks/:id', { name: 'renamed' }],
  ['POST', '/org/webhooks/:id/pause'],
  ['POST', '/org/webhooks/:id/resume'],
  ['POST', '/org/webhooks/:id/rotate-secret'],
  ['POST', '/org/webhooks/:id/test', { event_type: 'memory.deleted' }],
  ['POST', '/org/webhooks/:id/replay', {}],
  ['GET', '/org/webhooks/:id/deliveries'],
  ['GET', '/org/webhooks/:id/deliveries/latest'],
  ['GET', '/org/webhooks/deliveries/:delivery'],
  ['POST', '/org/webhooks/deliveries/:delivery/retry'],
  ['POST', '/org/api-keys/:key/test'],
  ['POST', '/org/api-keys/bulk-revoke', { key_ids: [999_999_999] }],
  ['GET', '/org/projects'],
  ['POST', '/org/projects', { name: 'n' }],
  ['PATCH', '/org/projects/:project', { name: 'n' }],
  ['POST', '/org/projects/:project/archive'],
  ['POST', '/org/projects/:project/unarchive'],
  ['DELETE', '/org/projects/:project'],
  ['GET', '/org/billing/current-plan'],
  ['DELETE', '/org/webhooks/:id'],
]

interface Things {
  readonly id: number
  readonly delivery: number
  readonly key: number
  readonly project: string
}

/** The address is nobody's: a delivery to it is tried again and again. */
async function own(me: TestManager): Promise<Things> {
  const { id } = await me.webhook(url, events)
  const { body } = await me.post(`/org/webhooks/${id}/test`, {})
  const made = await createApiKey(systemContextOf(gateway), me.accountId, { name: 'another' })
  const project = await me.post('/org/projects', { name: 'Mine' })
  return { id, delivery: body.delivery_id, key: made.number, project: project.body.id }
}

function fill(path: string, things: Things): string {
  return path.replace(/:(id|delivery|key|project)/, (_, name: keyof Things) => String(things[name]))
}

describe('every route of /org', () => {
  it('serves an admin-scoped key, with and without a slash, and names each request', async () => {
    const me = await makeManager(gateway)
    const things = await own(me)
    for (const [method, path, body] of routes) {
      for (const end of method === 'GET' ? ['', '/'] : ['']) {
        const { status, headers } = await me.send(method, fill(path, things) + end, body)
        expect(`${method} ${path} ${status}`).toMatch(/ 20[014]$/)
        expect(headers.get('x-request-id')).toBeTruthy()
      }
    }
  })

  it('takes the key as X-API-Key as well', async () => {
    const me = await makeManager(gateway)
    const { status } = await call(`${gateway.url}/org/webhooks`, { headers: { 'x-api-key': me.key } })
    expect(status).toBe(200)
  })

  it('refuses no key, a wrong one and one without the scope', async () => {
    const me = await makeManager(gateway)
    const things = await own(me)
    const { apiKey, accountId } = await makeAccount(gateway, { scopes: ['read', 'write'] })
    const limited = new TestManager(gateway.url, apiKey, accountId)
    const wrong = new TestManager(gateway.url, `${me.key.slice(0, -1)}x`, me.accountId)
    for (const [method, path, body] of routes) {
      const target = fill(path, things)
      const none = await call(gateway.url + target, { method })
      expect(`${method} ${path} ${none.status} ${none.body.error.code}`).toBe(`${method} ${path} 401 UNAUTHENTICATED`)
      expect((await wrong.send(method, target, body)).status).toBe(401)
      const refused = await limited.send(method, target, body)
      expect(`${method} ${path} ${refused.status}`).toBe(`${method} ${path} 403`)
      expect(refused.body.error).toMatchObject({ code: 'INSUFFICIENT_SCOPE', message: expect.any(String) })
    }
  })

  it("knows nothing of another account's things, nor of another project's", async () => {
    const me = await makeManager(gateway)
    const things = await own(me)
    const stranger = await makeManager(gateway)
    const bound = await createApiKey(systemContextOf(gateway), me.accountId, {
      name: 'bound',
      project_id: 'elsewhere',
      scopes: ['admin'],
    })
    for (const other of [stranger, new TestManager(gateway.url, bound.secret, me.accountId)]) {
      for (const [method, path, body] of routes.filter(([, at]) => at.includes(':'))) {
        const { status } = await other.send(method, fill(path, things), body)
        const unknown = await other.send(
          method,
          fill(path, { id: 2 ** 50, delivery: 2 ** 50, key: 2 ** 50, project: 'no' }),
          body,
        )
        expect(`${method} ${path} ${status} ${unknown.status}`).toBe(`${method} ${path} 404 404`)
      }
      const [listed, recent, health] = await Promise.all([
        other.get('/org/webhooks'),
        other.get('/org/webhooks/deliveries/recent'),
        other.get('/org/webhooks/health'),
      ])
      expect(listed.body.endpoints).toEqual([])
      expect(recent.body).toEqual({ deliveries: [], total: 0, page: 1, page_size: 20 })
      expect(health.body).toMatchObject({ total_webhooks: 0, total_deliveries_all_time: 0 })
      const { body } = await other.post('/org/api-keys/bulk-revoke', { key_ids: [things.key] })
      expect(body).toMatchObject({ revoked: 0, not_found: 1 })
    }
    expect((await me.get(`/org/webhooks/${things.id}`)).body.name).toBe('test')
  })
})

describe('a webhook', () => {
  it('is made with the defaults, and shows its secret once', async () => {
    const me = await makeManager(gateway)
    const { status, body } = await me.post('/org/webhooks', { name: 'Mine', url, events, unknown: 1 })
    expect(status).toBe(201)
    expect(body).toEqual({
      id: expect.any(Number),
      name: 'Mine',
      url,
      description: null,
      secret: expect.stringMatching(/^whsec_[\w-]{43}$/),
      secret_prefix: body.secret.slice(0, 12),
      events,
      enabled: true,
      signature_algorithm: 'hmac-sha256',
      signature_header: 'X-Webhook-Signature',
      timestamp_header: 'X-Webhook-Timestamp',
      signature_tolerance: 300,
      retry_enabled: true,
      max_retries: 5,
      initial_delay_seconds: 5,
      max_delay_seconds: 3600,
      backoff_multiplier: 2,
      retry_status_codes: ['408', '429', '5xx'],
      total_deliveries: 0,
      successful_deliveries: 0,
      failed_deliveries: 0,
      consecutive_failures: 0,
      success_rate: null,
      last_triggered_at: null,
      last_success_at: null,
      last_failure_at: null,
      last_error: null,
      last_status_code: null,
      created_at: expect.any(String),
      updated_at: expect.any(String),
      created_by_name: 'test',
      project_id: null,
    })
    const { secret, ...shown } = body
    expect((await me.get(`/org/webhooks/${body.id}`)).body).toEqual(shown)
    const listed = await me.get('/org/webhooks')
    expect(listed.body).toMatchObject({
      endpoints: [shown],
      total_endpoints: 1,
      active_endpoints: 1,
      failing_endpoints: 0,
    })
    expect(JSON.stringify(listed.body)).not.toContain(secret)
  })

  it('keeps what a change does not name', async () => {
    const me = await makeManager(gateway)
    const { id } = await me.webhook(url, events, {
      description: 'd',
      retry_config: { max_retries: 3, retry_status_codes: ['503'] },
      signature_config: { algorithm: 'hmac-sha512', tolerance_seconds: 60 },
    })
    const { body } = await me.send('PATCH', `/org/webhooks/${id}`, {
      events: ['memory.queried', 'memory.queried'],
      retry_config: { enabled: false },
      signature_config: { header_name: 'X-Mine' },
    })
    expect(body).toMatchObject({
      name: 'test',
      description: 'd',
      events: ['memory.queried'],
      retry_enabled: false,
      max_retries: 3,
      retry_status_codes: ['503'],
      signature_algorithm: 'hmac-sha512',
      signature_tolerance: 60,
      signature_header: 'X-Mine',
      timestamp_header: 'X-Webhook-Timestamp',
    })
  })

  it.each([
    [{ name: '' }, 'name'],
    [{ name: 'x'.repeat(129) }, 'name'],
    [{ description: 'x'.repeat(501) }, 'description'],
    [{ events: [] }, 'events'],
    [{ events: ['memory.forgotten'] }, 'events'],
    [{ url: 'http://127.0.0.1:8010/admin' }, 'url'],
    [{ url: 'http://[::ffff:10.0.0.1]/' }, 'url'],
    [{ url: 'https://user:secret@example.com/' }, 'url'],
    [{ url: 'ftp://example.com/' }, 'url'],
    [{ retry_config: { max_retries: 11 } }, 'retry_config.max_retries'],
    [{ retry_config: { initial_delay_seconds: 0 } }, 'retry_config.initial_delay_seconds'],
    [{ retry_config: { max_delay_seconds: 59 } }, 'retry_config.max_delay_seconds'],
    [{ retry_config: { backoff_multiplier: 5.1 } }, 'retry_config.backoff_multiplier'],
    [{ retry_config: { retry_status_codes: ['6xx'] } }, 'retry_config.retry_status_codes'],
    [{ signature_config: { algorithm: 'md5' } }, 'signature_config.algorithm'],
    [{ signature_config: { header_name: 'Content-Length' } }, 'signature_config.header_name'],
    [{ signature_config: { header_name: 'X-A\r\nX-B' } }, 'signature_config.header_name'],
    [{ signature_config: { header_name: 'x-same', timestamp_header: 'X-Same' } }, 'signature_config.timestamp_header'],
    [{ signature_config: { tolerance_seconds: 59 } }, 'signature_config.tolerance_seconds'],
  ])('is refused with %j', async (fields, field) => {
    const me = await makeManager(gateway)
    const { id } = await me.webhook(url, events)
    const base = { name: 'n', url, events }
    for (const [method, path, body] of [
      ['POST', '/org/webhooks', { ...base, ...fields }],
      ['PATCH', `/org/webhooks/${id}`, fields],
    ] as const) {
      const { status, body: answer } = await me.send(method, path, body)
      expect(status).toBe(422)
      expect(answer.detail[0].loc.join('.')).toContain(field)
    }
    expect((await me.get('/org/webhooks')).body.total_endpoints).toBe(1)
  })

  it('belongs to the project that the key, the header or the body names', async () => {
    const me = await makeManager(gateway)
    const inHeader = { 'x-project-id': 'one' }
    const { body } = await me.post('/org/webhooks', { name: 'n', url, events }, inHeader)
    expect(body.project_id).toBe('one')
    expect((await me.webhook(url, events, { project_id: 'two' })).project_id).toBe('two')
    expect((await me.get('/org/webhooks', inHeader)).body.total_endpoints).toBe(1)
    expect((await me.get('/org/webhooks')).body.total_endpoints).toBe(2)
    expect((await me.get(`/org/webhooks/${body.id}`, { 'x-project-id': 'two' })).status).toBe(404)
    const clash = await me.post('/org/webhooks', { name: 'n', url, events, project_id: 'two' }, inHeader)
    expect(clash.status).toBe(403)
  })

  it('is made once by a request that is repeated', async () => {
    const me = await makeManager(gateway)
    const once = { 'idempotency-key': crypto.randomUUID() }
    const first = await me.post('/org/webhooks', { name: 'n', url, events }, once)
    const second = await me.post('/org/webhooks', { name: 'n', url, events }, once)
    expect(second.body).toEqual(first.body)
    expect(second.headers.get('idempotent-replayed')).toBe('true')
    expect((await me.get('/org/webhooks')).body.total_endpoints).toBe(1)
  })

  it('may be tested with each type of event, unless it is paused', async () => {
    const me = await makeManager(gateway)
    const { id } = await me.webhook(url, events)
    const types = (await me.get('/org/webhooks/event-types')).body
    expect(types.event_types).toEqual(Object.values(types.categories).flat())
    for (const type of types.event_types) {
      const { body } = await me.post(`/org/webhooks/${id}/test`, { event_type: type })
      expect(body).toMatchObject({
        endpoint_id: id,
        event_type: type,
        status: 'pending',
        payload: { id: body.event_id, type, data: { test: true } },
      })
    }
    const page = (await me.get(`/org/webhooks/${id}/deliveries?page=2&page_size=3`)).body
    expect(page).toMatchObject({ total: 7, page: 2, page_size: 3 })
    expect(page.deliveries).toHaveLength(3)
    expect((await me.get(`/org/webhooks/${id}/deliveries?page_size=101`)).status).toBe(422)
    expect((await me.get(`/org/webhooks/${id}/deliveries?status_filter=odd`)).status).toBe(422)
    await me.post(`/org/webhooks/${id}/pause`)
    expect((await me.post(`/org/webhooks/${id}/test`, {})).status).toBe(409)
    expect((await me.post(`/org/webhooks/${id}/replay`, {})).status).toBe(409)
  })
})

describe('keys', () => {
  it('are told apart by their numbers: active, expired, revoked', async () => {
    const me = await makeManager(gateway)
    const operator = systemContextOf(gateway)
    const made = await createApiKey(operator, me.accountId, { name: 'k', project_id: 'one', scopes: ['read'] })
    expect((await me.post(`/org/api-keys/${made.number}/test`)).body).toEqual({
      key_id: made.number,
      valid: true,
      status: 'active',
      environment: 'live',
      rate_limit_tier: 'unlimited',
      scopes: ['read'],
      project_id: 'one',
      last_used_at: null,
      expires_at: null,
      expired: false,
      server_time: expect.any(String),
    })
    const { body } = await me.post('/org/api-keys/bulk-revoke', { key_ids: [made.number, made.number, 2 ** 40] })
    expect(body).toEqual({
      revoked: 1,
      already_revoked: 0,
      not_found: 1,
      results: [
        { key_id: made.number, status: 'revoked' },
        { key_id: 2 ** 40, status: 'not_found' },
      ],
    })
    const again = await me.post('/org/api-keys/bulk-revoke', { key_ids: [made.number] })
    expect(again.body).toMatchObject({ revoked: 0, already_revoked: 1 })
    expect((await me.post(`/org/api-keys/${made.number}/test`)).body).toMatchObject({ valid: false, status: 'revoked' })
    expect((await call(`${gateway.url}/auth/me`, { headers: { 'x-api-key': made.secret } })).status).toBe(401)
  })

  it('tell whose they are', async () => {
    const me = await makeManager(gateway)
    const { body } = await me.get('/auth/me')
    expect(body).toMatchObject({ role: 'admin', org: { id: me.accountId, name: 'test' }, oauth_scopes: ['admin'] })
    expect((await me.get('/org/billing/current-plan')).body).toMatchObject({
      plan: { id: 'unlimited', limits: { requests_per_minute: null } },
      status: 'active',
      payment_failed: false,
    })
  })
})

describe('projects', () => {
  it('are there by use, or by name', async () => {
    const me = await makeManager(gateway)
    await remember(gateway, me, 'Something in a project', { projectId: 'used' })
    const { status, body: made } = await me.post('/org/projects', { name: 'A new one' })
    expect(status).toBe(201)
    expect(made).toMatchObject({ name: 'A new one', tenant_id: me.accountId, memory_count: 0, archived_at: null })
    const { body } = await me.get('/org/projects')
    const listed = Object.fromEntries(
      body.map((one: { id: string; memory_count: number }) => [one.id, one.memory_count]),
    )
    expect(listed).toEqual({ default: 0, used: 1, [made.id]: 0 })

    expect((await me.send('PATCH', '/org/projects/used', { name: 'Renamed' })).body).toMatchObject({
      id: 'used',
      name: 'Renamed',
      memory_count: 1,
    })
    expect((await me.post('/org/projects/used/archive')).body.archived_at).toEqual(expect.any(String))
    expect((await me.post('/org/projects/used/unarchive')).body).toMatchObject({ archived_at: null, name: 'Renamed' })
    expect((await me.send('DELETE', '/org/projects/used')).status).toBe(409)
    expect((await me.send('DELETE', '/org/projects/default')).status).toBe(409)
    expect((await me.send('DELETE', `/org/projects/${made.id}`)).status).toBe(204)
    expect((await me.send('DELETE', `/org/projects/${made.id}`)).status).toBe(404)
  })

  it('that a key is bound to are all that it sees', async () => {
    const me = await makeManager(gateway, { project_id: 'mine' })
    expect((await me.get('/org/projects')).body.map(({ id }: { id: string }) => id)).toEqual(['mine'])
    expect((await me.post('/org/projects', { name: 'n' })).status).toBe(403)
    expect((await me.send('PATCH', '/org/projects/default', { name: 'n' })).status).toBe(404)
    expect((await me.send('PATCH', '/org/projects/mine', { name: 'n' })).body.name).toBe('n')
  })
})

describe('what belongs to the dashboard of the original', () => {
  it.each([
    ['POST', '/auth/login'],
    ['POST', '/auth/signup'],
    ['GET', '/auth/sessions'],
    ['GET', '/organizations'],
    ['POST', '/exports'],
  ])('is refused with a reason: %s %s', async (method, path) => {
    const { status, body } = await call(gateway.url + path, { method })
    expect(status).toBe(501)
    expect(body.error).toEqual({ code: 'NOT_IMPLEMENTED', message: expect.any(String) })
  })

  it('or is no route at all', async () => {
    const { status, body } = await call(`${gateway.url}/org/team`)
    expect(status).toBe(404)
    expect(body.error).toMatchObject({ code: 'NOT_FOUND' })
  })
})

describe('private addresses', () => {
  let open: TestGateway
  beforeAll(async () => {
    open = await startGateway({ WEBHOOK_ALLOW_PRIVATE: 'true' })
  })
  afterAll(() => open.close())

  it('are taken where the operator allows them', async () => {
    const me = await makeManager(open)
    expect((await me.webhook('http://127.0.0.1:9/', events)).url).toBe('http://127.0.0.1:9/')
  })
})
