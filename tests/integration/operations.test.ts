import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, createUser, picture, until } from '../helpers/client.ts'
import { startFakeEveros } from '../helpers/fake-everos.ts'
import { sharedGateway } from '../helpers/gateway.ts'
import { type LoggedGateway, startLoggedGateway } from '../helpers/logged-gateway.ts'

let gateway: LoggedGateway
const origin = 'https://app.example'

beforeAll(async () => {
  const fake = await startFakeEveros()
  gateway = await startLoggedGateway({
    MEMORY_BACKEND: 'everos',
    EVEROS_BASE_URL: fake.url,
    CORS_ORIGINS: `${origin}, https://other.example`,
  })
  await fake.close()
})
afterAll(() => gateway.close())

/** The store's folder is gone while the work runs, or something else stands in its place. */
async function withoutStore<T>(inItsPlace: 'nothing' | 'a file', work: () => Promise<T>): Promise<T> {
  const store = gateway.services.config.objectStore
  if (store.kind !== 'local') throw new Error('This gateway has no local store.')
  renameSync(store.dir, `${store.dir}-away`)
  if (inItsPlace === 'a file') writeFileSync(store.dir, '')
  try {
    return await work()
  } finally {
    rmSync(store.dir, { recursive: true, force: true })
    renameSync(`${store.dir}-away`, store.dir)
  }
}

describe('GET /health', () => {
  it('is ok where everything answers', async () => {
    const shared = await sharedGateway()
    const { status, body } = await call(`${shared.url}/health`)
    expect(status).toBe(200)
    expect(body).toEqual({
      status: 'ok',
      api: { status: 'ok' },
      backend: { status: 'ok', base_url: 'embedded', data: { status: 'ok' } },
      database: { status: 'ok', kind: shared.services.database.kind },
      object_store: { status: 'ok', kind: 'local' },
    })
    expect(await call(`${shared.url}/ready`)).toMatchObject({ status: 200, body: { status: 'ready' } })
  })

  it('is degraded, and the gateway ready, while the backend is away', async () => {
    const { status, body } = await call(`${gateway.url}/health`)
    expect(status).toBe(200)
    expect(body).toMatchObject({
      status: 'degraded',
      api: { status: 'ok' },
      backend: { status: 'unavailable', base_url: expect.stringMatching(/^http:/) },
      database: { status: 'ok' },
      object_store: { status: 'ok' },
    })
    expect((await call(`${gateway.url}/ready`)).status).toBe(200)
  })

  it('is degraded, and the gateway not ready, while the object store is away', async () => {
    await withoutStore('nothing', async () => {
      expect((await call(`${gateway.url}/health`)).body).toMatchObject({
        status: 'degraded',
        object_store: { status: 'unavailable', kind: 'local' },
      })
      const ready = await call(`${gateway.url}/ready`)
      expect(ready.status).toBe(503)
      expect(ready.body).toMatchObject({ status: 'not_ready', object_store: { status: 'unavailable' } })
    })
    expect((await call(`${gateway.url}/ready`)).status).toBe(200)
  })
})

describe('every answer', () => {
  it('bears the request id of the caller, or one of our own', async () => {
    const given = await call(`${gateway.url}/health`, { headers: { 'x-request-id': 'abc-1.2:3_4' } })
    expect(given.headers.get('x-request-id')).toBe('abc-1.2:3_4')
    for (const id of ['a b', 'x'.repeat(129), 'a"b', '<script>']) {
      const answer = await call(`${gateway.url}/nothing`, { headers: { 'x-request-id': id } })
      expect(answer.headers.get('x-request-id')).toMatch(/^[\w-]{21}$/)
      expect(answer.body.error.request_id).toBe(answer.headers.get('x-request-id'))
    }
  })

  const json = { 'content-type': 'application/json' }
  const answers: [number, string, RequestInit?][] = [
    ...['/health', '/ready', '/metrics', '/openapi.json', '/docs', '/docs/start.js', '/docs/swagger-ui.css'].map(
      (path): [number, string] => [200, path],
    ),
    [404, '/nothing'],
    [404, '/docs/nothing'],
    [404, '/health', { method: 'DELETE' }],
    [404, '/memories/search'],
    [400, '/users', { method: 'POST', headers: json, body: '{' }],
    [401, '/sessions'],
    [401, '/resources/r_1/content'],
    [413, '/memories/flush', { method: 'POST', headers: json, body: ' '.repeat(3_000_000) }],
    [415, '/resources', { method: 'POST', headers: json, body: '{}' }],
    [422, '/users', { method: 'POST', headers: json, body: '{"user_id":1}' }],
  ]

  it.each(answers)('%i of %s may be neither cached nor sniffed', async (status, path, init = {}) => {
    const answer = await call(gateway.url + path, init)
    expect(answer.status).toBe(status)
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'private, no-store',
      'x-request-id': expect.stringMatching(/./),
    })
  })

  it('tells how long its parts took', async () => {
    const user = await createUser(gateway.url)
    const { headers } = await user.get('/resources')
    expect(headers.get('server-timing')).toMatch(/^total;dur=[\d.]+, database;dur=[\d.]+$/)
  })

  it('is for listed origins only', async () => {
    const listed = await call(`${gateway.url}/health`, { headers: { origin } })
    expect(listed.headers.get('access-control-allow-origin')).toBe(origin)
    expect(listed.headers.get('vary')).toContain('Origin')
    const stranger = await call(`${gateway.url}/health`, { headers: { origin: 'https://evil.example' } })
    expect(stranger.headers.get('access-control-allow-origin')).toBeNull()
    const headers = { origin, 'access-control-request-method': 'POST' }
    const preflight = await call(`${gateway.url}/memories/add`, { method: 'OPTIONS', headers })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-headers')).toContain('Authorization')
    expect(preflight.headers.get('access-control-allow-credentials')).toBeNull()
  })
})

describe('the documentation', () => {
  it('comes from the gateway alone', async () => {
    const page = await call(`${gateway.url}/docs`)
    expect(page.status).toBe(200)
    expect(page.body).not.toMatch(/(src|href)="(https?:)?\/\//)
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'")
    for (const path of page.body.match(/(?<=(src|href)=")\/[^"]+/g) as string[]) {
      expect((await call(gateway.url + path)).status, path).toBe(200)
    }
    expect((await call(`${gateway.url}/docs/package.json`)).status).toBe(404)
    expect((await call(`${gateway.url}/docs/..%2fpackage.json`)).status).toBe(404)
  })
})

describe('GET /metrics', () => {
  it('counts requests by route, never by what callers name', async () => {
    const user = await createUser(gateway.url)
    await user.get(`/resources/r_${user.id}`)
    const text = await until(
      async () => (await call(`${gateway.url}/metrics`)).body as string,
      (body) => /route="\/resources\/:?\{?resource_id\}?",status="404"/.test(body),
    )
    expect(text).not.toContain(user.id)
    for (const name of [
      'gateway_http_request_seconds_bucket',
      'gateway_uploaded_bytes_total',
      'gateway_uploads_in_flight',
      'gateway_relayed_batches_total',
      'gateway_resent_messages_total',
      'gateway_dropped_hits_total',
      'gateway_auth_failures_total',
      'gateway_swept_objects_total',
      'process_resident_memory_bytes',
      'nodejs_eventloop_lag_seconds',
    ]) {
      expect(text).toContain(name)
    }
  })
})

describe('the log', () => {
  it('has a line for each request, with ids and times', async () => {
    const user = await createUser(gateway.url)
    const headers = { 'x-request-id': `find-${user.id}` }
    await user.get('/resources', headers)
    const line = await until(
      async () => gateway.lines.find((text) => text.includes(headers['x-request-id'])),
      (found) => found !== undefined,
    )
    expect(JSON.parse(line!)).toMatchObject({
      requestId: headers['x-request-id'],
      method: 'GET',
      route: '/resources',
      status: 200,
      ms: expect.any(Number),
      databaseMs: expect.any(Number),
      userId: expect.stringMatching(/^usr_/),
      msg: 'request',
    })
  })

  it('has no key, text, name or file of a caller, at any level, also when things fail', async () => {
    const user = await createUser(gateway.url)
    const word = 'quetzalcoatlus'
    const file = { field: 'f', kind: 'image', name: `${word}.png`, bytes: picture }
    await user.addMessage(`chat:${word}`, word, [file])
    await user.addResource({ name: `${word}.txt`, bytes: Buffer.from(word) }, { title: word })
    await user.post('/memories/search', { query: word })
    await user.get(`/sessions/${word}/messages?user_id=${user.id}&user_key=${user.key}`)
    await user.post('/memories/add', { session_id: word, messages: [{ role: 'user', content: `${word}\0` }] })
    await user.upload('/memories/add/multipart', { session_id: word, messages: `[${word}`, user_key: user.key }, [])
    await user.get('/resources', { authorization: `Bearer ${user.key.slice(0, -1)}` })
    await withoutStore('a file', () => user.addMessage(`chat:${word}`, word, [file]))
    await until(
      async () => gateway.lines.filter((line) => line.includes('"msg":"request"')).length,
      (count) => count >= 9,
    )
    for (const secret of [user.key, user.key.slice(3, -8), word, Buffer.from(word).toString('base64')]) {
      expect(gateway.lines.filter((line) => line.includes(secret))).toEqual([])
    }
  })
})

describe('while the object store is away', () => {
  it.each(['a file', 'nothing'] as const)(
    'with %s in its place, uploads are refused for now (503), and nothing is kept',
    async (inItsPlace) => {
      const user = await createUser(gateway.url)
      const file = { field: 'f', kind: 'image', name: 'p.png', bytes: picture }
      await withoutStore(inItsPlace, async () => {
        for (const attempt of ['first', 'second']) {
          const refused = await user.addMessage('chat:1', 'Hello.', [file])
          expect(refused, attempt).toMatchObject({ status: 503, body: { error: { code: 'unavailable' } } })
          expect(refused.headers.get('retry-after')).toMatch(/^\d+$/)
        }
        expect((await user.get('/sessions/chat%3A1/messages')).status).toBe(404)
        expect((await user.addMessage('chat:1', 'Without a file.')).status).toBe(202)
      })
      expect((await user.addMessage('chat:1', 'Again.', [file])).status).toBe(202)
    },
  )

  it('a download is refused for now (503), and given again when it is back', async () => {
    const user = await createUser(gateway.url)
    const { body } = await user.addResource({ name: 'p.png', bytes: picture })
    const path = `/resources/${body.resource_id}/content`
    await withoutStore('a file', async () => {
      expect(await user.get(path)).toMatchObject({ status: 503, body: { error: { code: 'unavailable' } } })
    })
    expect((await user.get(path)).status).toBe(200)
  })
})

describe('a gateway that is told to stop', () => {
  it('is not ready any more, but healthy', async () => {
    gateway.stop()
    expect(await call(`${gateway.url}/ready`)).toMatchObject({ status: 503, body: { status: 'not_ready' } })
    expect((await call(`${gateway.url}/health`)).status).toBe(200)
  })
})
