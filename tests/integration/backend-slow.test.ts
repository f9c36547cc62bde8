import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  type AwayBackend,
  callsOf,
  heldTexts,
  messagesIn,
  newestSession,
  relayQueued,
  startAwayBackend,
  statesOf,
  textOf,
  waitMs,
} from '../helpers/away-backend.ts'
import { createUser, picture, type TestUser, until } from '../helpers/client.ts'
import type { FakeEpisode } from '../helpers/fake-everos-memory.ts'
import { objectKeys } from '../helpers/stored.ts'

let backend: AwayBackend
let user: TestUser
const session = 'chat:1'

beforeAll(async () => {
  backend = await startAwayBackend()
})
afterAll(() => backend.close())
beforeEach(async () => {
  user = await createUser(backend.gateway.url)
})

const say = (text: string, more: object = {}) => ({ role: 'user', content: text, ...more })
const add = (messages: unknown[], name = session) => user.post('/memories/add', { session_id: name, messages })

/** Has every call of the route take longer than a request waits, while the work runs. */
async function whileSlow<T>(route: 'add' | 'flush', work: () => Promise<T>): Promise<T> {
  backend.fake.delay(route, waitMs * 2)
  try {
    return await work()
  } finally {
    backend.fake.delay(route, 0)
  }
}

describe('a slow backend', () => {
  it('does not keep the caller waiting, and is not asked twice', async () => {
    const answer = await whileSlow('add', () => add([say('Hello.')]))
    expect(answer).toMatchObject({ status: 202, body: { status: 'queued' } })
    await until(
      () => statesOf(user, session),
      ([state]) => state === 'accumulated',
    )
    const { upstreamSessionId } = await newestSession(backend, user)
    expect(callsOf(backend, 'add', upstreamSessionId)).toHaveLength(1)
  })

  it('flushes later what it did not flush in time', async () => {
    await add([say('The dunlin.')])
    const answer = await whileSlow('flush', () => user.post('/memories/flush', { session_id: session }))
    expect(answer.status).toBe(202)
    expect(answer.body).toEqual({ session_id: session, status: 'queued' })
    await until(
      () => statesOf(user, session),
      ([state]) => state === 'extracted',
    )
    expect((await user.post('/memories/search', { query: 'dunlin' })).body.results).toHaveLength(1)
  })

  it('flushes after the messages that were queued before the flush', async () => {
    backend.fake.failNext('add', { status: 503, code: 'EXTERNAL_SERVICE_UNAVAILABLE' })
    backend.fake.failNext('add', { status: 503, code: 'EXTERNAL_SERVICE_UNAVAILABLE' })
    expect((await add([say('The whimbrel.')])).status).toBe(202)
    expect((await user.post('/memories/flush', { session_id: session })).status).toBe(202)
    await relayQueued(backend, user)
    expect(await statesOf(user, session)).toEqual(['extracted'])
    expect((await user.post('/memories/search', { query: 'whimbrel' })).body.results).toHaveLength(1)
  })

  it('has a resource extracted later', async () => {
    const answer = await whileSlow('flush', () => user.addResource({ name: 'a.txt', bytes: Buffer.from('The knot.') }))
    expect(answer).toMatchObject({ status: 202, body: { status: 'processing' } })
    await until(
      () => user.get(`/resources/${answer.body.resource_id}`),
      ({ body }) => body.status === 'extracted',
    )
  })
})

describe('what the backend is told', () => {
  it('are strictly increasing times, whatever the callers give', async () => {
    await add([say('1', { timestamp: 5_000 }), say('2', { timestamp: 5_000 }), say('3', { timestamp: 4_000 })])
    await Promise.all([add([say('4', { timestamp: 5_000 })]), add([say('5', { timestamp: 5_000 })])])
    await add([say('6', { timestamp: 9_000 }), say('7')])
    const { upstreamSessionId } = await newestSession(backend, user)
    const sent = messagesIn(callsOf(backend, 'add', upstreamSessionId))
    const times = sent.map(({ timestamp }) => timestamp)
    expect(times).toHaveLength(7)
    expect(times).toEqual([...new Set(times)].toSorted((one, other) => one - other))
    expect(times[0]).toBe(5_000)
    expect(heldTexts(backend, upstreamSessionId)).toEqual(sent.map(textOf))
  })

  it('are names of our own, never those of the caller', async () => {
    const secret = `private-${user.id}`
    const messages = [say('Hello.', { sender_id: user.id }), { role: 'assistant', sender_id: secret, content: 'Hi.' }]
    const body = { session_id: `chat:${secret}`, app_id: secret, project_id: secret, messages }
    expect((await user.post('/memories/add', body)).status).toBe(200)
    const { upstreamSessionId } = await newestSession(backend, user)
    const [call] = callsOf(backend, 'add', upstreamSessionId)
    expect(call).toMatchObject({ app_id: 'default', project_id: expect.stringMatching(/^p_[0-9a-f]{32}$/) })
    expect(upstreamSessionId).toMatch(/^s_[0-9a-f]{32}$/)
    for (const { sender_id } of messagesIn([call!])) expect(sender_id).toMatch(/^[ua]_[0-9a-f]{32}$/)
  })

  it('differ between users and projects who name everything alike', async () => {
    const other = await createUser(backend.gateway.url)
    await add([say('Hello.')])
    await user.post('/memories/add', { session_id: session, project_id: 'other', messages: [say('Hello.')] })
    await other.post('/memories/add', { session_id: session, messages: [say('Hello.')] })
    const calls = backend.fake.requests.filter(({ path }) => path.endsWith('/add')).slice(-3)
    expect(new Set(calls.map(({ body }) => body.project_id)).size).toBe(3)
    expect(new Set(calls.map(({ body }) => body.session_id)).size).toBe(3)
    expect(new Set(calls.flatMap(({ body }) => messagesIn([body])).map(({ sender_id }) => sender_id)).size).toBe(3)
  })
})

describe('rows of others in an answer', () => {
  it('are dropped and counted, and the rest is given', async () => {
    await add([say('The godwit.')])
    await user.post('/memories/flush', { session_id: session })
    const other = await createUser(backend.gateway.url)
    await other.post('/memories/add', { session_id: session, messages: [say('The godwit of another.')] })
    await other.post('/memories/flush', { session_id: session })
    const { upstreamSessionId } = await newestSession(backend, user)
    const { memory } = backend.fake
    const own = memory.episodes.find(({ session_id }) => session_id === upstreamSessionId)!
    const foreign = memory.episodes.at(-1)!
    const mixed: FakeEpisode[] = [
      foreign,
      { ...foreign, project_id: own.project_id },
      { ...foreign, project_id: own.project_id, user_id: own.user_id },
      { ...foreign, session_id: own.session_id },
      { ...own, user_id: foreign.user_id, text: 'The godwit of another.' },
      own,
    ]
    const { find } = memory
    memory.find = () => mixed
    try {
      for (const scope of [['all_user_memory'], ['current_chat']]) {
        const body = { query: 'godwit', scope, conversation_id: '1', top_k: 100 }
        const answer = await user.post('/memories/search', body)
        expect(answer.status).toBe(200)
        expect(answer.body.results.map(({ text }: { text: string }) => text)).toEqual([own.text])
        expect(JSON.stringify(answer.body)).not.toContain('of another')
      }
    } finally {
      memory.find = find
    }
    const { registry } = backend.gateway.services.metrics
    const dropped = await registry.getSingleMetricAsString('gateway_dropped_hits_total')
    for (const reason of ['partition', 'session', 'sender']) {
      expect(dropped).toMatch(new RegExp(`gateway_dropped_hits_total\\{reason="${reason}"\\} [1-9]`))
    }
  })
})

describe('a search that the backend does not answer', () => {
  beforeEach(async () => {
    await add([say('Hello.')])
  })
  const search = () => user.post('/memories/search', { query: 'hello' })

  it('in time is told so (504)', async () => {
    backend.fake.failNext('search', 'stall')
    expect(await search()).toMatchObject({ status: 504, body: { error: { code: 'backend_timeout' } } })
  })

  it.each(['reset' as const, 'html' as const, { status: 500, code: 'INTERNAL_ERROR' }])(
    'but with %j is told so (502), without inner words',
    async (fault) => {
      backend.fake.failNext('search', fault)
      const answer = await search()
      expect(answer).toMatchObject({ status: 502, body: { error: { code: 'backend_failed' } } })
      expect(answer.headers.get('retry-after')).toMatch(/^\d+$/)
      expect(answer.body.error.message).not.toMatch(/nginx|injected|ECONN|127\.0\.0\.1/)
      expect((await search()).status).toBe(200)
    },
  )
})

describe('a session deleted', () => {
  it('while its messages are queued is never relayed', async () => {
    const before = objectKeys(backend.gateway)
    backend.fake.failNext('add', { status: 503, code: 'EXTERNAL_SERVICE_UNAVAILABLE' })
    const image = { field: 'i', kind: 'image', name: 'p.png', bytes: picture }
    expect((await user.addMessage(session, 'Forget me.', [image])).status).toBe(202)
    const row = await newestSession(backend, user)
    expect((await user.delete(`/sessions/${encodeURIComponent(session)}`)).status).toBe(204)
    await until(
      async () => callsOf(backend, 'delete', row.upstreamSessionId),
      (calls) => calls.length > 0,
    )
    await relayQueued(backend, user)
    expect(callsOf(backend, 'add', row.upstreamSessionId)).toHaveLength(1)
    expect(objectKeys(backend.gateway)).toEqual(before)
  })

  it('while it is being relayed is forgotten by the backend afterwards', async () => {
    const answer = await whileSlow('add', () => add([say('Forget me too.')]))
    expect(answer.status).toBe(202)
    const row = await newestSession(backend, user)
    expect((await user.delete(`/sessions/${encodeURIComponent(session)}`)).status).toBe(204)
    await until(
      async () => callsOf(backend, 'delete', row.upstreamSessionId),
      (calls) => calls.length > 0,
    )
    await until(
      async () => heldTexts(backend, row.upstreamSessionId),
      (texts) => texts.length === 0,
    )
    expect((await user.get(`/sessions/${encodeURIComponent(session)}/messages`)).status).toBe(404)
  })
})
