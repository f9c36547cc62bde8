import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  type AwayBackend,
  callsOf,
  heldTexts,
  letMinutesPass,
  messagesIn,
  newestSession,
  relayQueued,
  startAwayBackend,
  statesOf,
  textOf,
} from '../helpers/away-backend.ts'
import { createUser, picture, type TestUser, until } from '../helpers/client.ts'
import type { EverosFault } from '../helpers/fake-everos.ts'
import { hurryJobs } from '../helpers/jobs.ts'
import { noRows, objectKeys, rowsOf } from '../helpers/stored.ts'

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

const add = (text: string, timestamp?: number) => user.addMessage(session, text, [], timestamp)
const png = { name: 'p.png', bytes: picture, type: 'image/png' }
const image = { field: 'i', kind: 'image', ...png }
const upstream = async () => (await newestSession(backend, user)).upstreamSessionId

describe('while the backend refuses connections', () => {
  it('messages are kept, and relayed once, in order, when it is back', async () => {
    await backend.proxy.set({ mode: 'refuse' })
    const first = await user.addMessage(session, 'One. ', [image], 1_000)
    expect(first.status).toBe(202)
    expect(first.body).toEqual({
      session_id: session,
      status: 'queued',
      message_ids: [expect.stringMatching(/^msg_/)],
      attachments: [expect.objectContaining({ upload_id: 'i', size: picture.length })],
    })
    expect((await add('Two. ', 1_000)).status).toBe(202)
    expect((await add('Three. ', 500)).status).toBe(202)
    expect(await statesOf(user, session)).toEqual(['queued', 'queued', 'queued'])
    const original = await user.get(`/attachments/${first.body.attachments[0].attachment_id}/content`)
    expect(original.status).toBe(200)
    expect((await user.get('/health')).body).toMatchObject({ status: 'degraded', backend: { status: 'unavailable' } })

    await backend.proxy.set({ mode: 'pass' })
    await until(
      async () => {
        await hurryJobs(backend.gateway)
        return statesOf(user, session)
      },
      (states) => states.every((state) => state === 'accumulated'),
    )
    const sent = messagesIn(callsOf(backend, 'add', await upstream()))
    expect(sent.map(textOf)).toEqual(['One. ', 'Two. ', 'Three. '])
    const times = sent.map(({ timestamp }) => timestamp)
    expect(times.every((time, index) => index === 0 || time > times[index - 1]!)).toBe(true)
    expect((await user.get('/health')).body.status).toBe('ok')

    expect((await user.post('/memories/flush', { session_id: session })).status).toBe(200)
    const { body } = await user.post('/memories/search', { query: 'three', scope: ['all_user_memory'] })
    expect(body.results[0]).toMatchObject({ session_id: session, attachments: [{ name: 'p.png' }] })
  })
})

describe('a call that the backend did not take', () => {
  const faults: [string, EverosFault][] = [
    ['503', { status: 503, code: 'EXTERNAL_SERVICE_UNAVAILABLE' }],
    ['a busy session', { status: 409, code: 'SESSION_BUSY' }],
    ['429', { status: 429, code: 'TOO_MANY_REQUESTS' }],
    ['500', { status: 500, code: 'INTERNAL_ERROR' }],
    ['502 of a proxy', { status: 502, code: 'BAD_GATEWAY' }],
    ['a broken connection', 'reset'],
    ["a proxy's page", 'html'],
  ]

  it.each(faults)('for %s is queued, then made once', async (_what, fault) => {
    backend.fake.failNext('add', fault)
    expect(await add('Hello. ')).toMatchObject({ status: 202, body: { status: 'queued' } })
    await relayQueued(backend, user)
    expect(await statesOf(user, session)).toEqual(['accumulated'])
    expect(heldTexts(backend, await upstream())).toEqual(['Hello. '])
  })

  it('because it stalled is made again only when it cannot still be under way', async () => {
    backend.fake.failNext('add', 'stall')
    expect((await add('Hello. ')).status).toBe(202)
    const row = await newestSession(backend, user)
    const { relay } = backend.gateway.services
    await until(
      () => relay.drain(row.id),
      (result) => result === 'waiting',
    )
    expect(callsOf(backend, 'add', row.upstreamSessionId)).toHaveLength(1)
    await letMinutesPass(backend, row.id)
    await relayQueued(backend, user)
    expect(heldTexts(backend, row.upstreamSessionId)).toEqual(['Hello. '])
    expect(callsOf(backend, 'add', row.upstreamSessionId)).toHaveLength(2)
  })

  it('holds back what comes after it in the session', async () => {
    const away: EverosFault = { status: 503, code: 'EXTERNAL_SERVICE_UNAVAILABLE' }
    backend.fake.failNext('add', away)
    backend.fake.failNext('add', away)
    expect((await add('One. ')).status).toBe(202)
    expect((await add('Two. ')).status).toBe(202)
    expect((await add('Three. ')).status).toBe(200)
    const sent = messagesIn(callsOf(backend, 'add', await upstream())).map(textOf)
    expect(sent).toEqual(['One. ', 'One. ', 'One. ', 'Two. ', 'Three. '])
    expect(heldTexts(backend, await upstream())).toEqual(['One. ', 'Two. ', 'Three. '])
  })

  it('does not hold back other sessions', async () => {
    backend.fake.failNext('add', { status: 503, code: 'EXTERNAL_SERVICE_UNAVAILABLE' })
    expect((await add('One. ')).status).toBe(202)
    expect((await user.addMessage('chat:2', 'Two. ')).status).toBe(200)
    await relayQueued(backend, user)
  })
})

describe('a call whose answer was lost', () => {
  it('is looked up, and not made twice', async () => {
    backend.fake.failNext('add', 'lost')
    expect((await add('Hello. ')).status).toBe(202)
    await relayQueued(backend, user)
    expect(await statesOf(user, session)).toEqual(['accumulated'])
    expect(callsOf(backend, 'add', await upstream())).toHaveLength(1)
    expect(heldTexts(backend, await upstream())).toEqual(['Hello. '])
  })

  it('is found also when the backend has extracted it meanwhile', async () => {
    backend.fake.failNext('add', 'lost')
    await add('Hello. ')
    const name = await upstream()
    const project = String(callsOf(backend, 'add', name)[0]?.project_id)
    backend.fake.memory.flush(name, 'default', project)
    await relayQueued(backend, user)
    expect(callsOf(backend, 'add', name)).toHaveLength(1)
    expect(backend.fake.memory.episodes.filter(({ session_id }) => session_id === name)).toHaveLength(1)
  })

  it('of a flush leaves nothing pending, and no hit with files of another time', async () => {
    await user.addMessage(session, 'The plover. ', [image])
    backend.fake.failNext('flush', 'lost')
    expect((await user.post('/memories/flush', { session_id: session })).status).toBe(202)
    await relayQueued(backend, user)
    expect(await statesOf(user, session)).toEqual(['extracted'])
    await add('The curlew. ')
    expect((await user.post('/memories/flush', { session_id: session })).status).toBe(200)
    const { body } = await user.post('/memories/search', { query: 'curlew' })
    expect(body.results).toHaveLength(1)
    expect(body.results[0].attachments).toEqual([])
  })
})

describe('an extraction that failed in the backend', () => {
  const flush = () => user.post('/memories/flush', { session_id: session })
  async function expectRemembered(...texts: string[]) {
    const name = await upstream()
    const facts = backend.fake.memory.episodes.filter(({ session_id }) => session_id === name).map(({ text }) => text)
    for (const text of texts) expect(facts.join().split(text)).toHaveLength(2)
  }

  it('and dropped its messages is given them again, once', async () => {
    await add('The plover. ')
    await add('The curlew. ')
    backend.fake.failNext('flush', 'dropped')
    expect((await flush()).status).toBe(202)
    await relayQueued(backend, user)
    expect(await statesOf(user, session)).toEqual(['extracted', 'extracted'])
    await expectRemembered('The plover.', 'The curlew.')
    expect(callsOf(backend, 'add', await upstream())).toHaveLength(4)
  })

  it('and broke off is given them only when it cannot be at work any more', async () => {
    await add('The plover. ')
    backend.fake.failNext('flush', 'dropped-and-lost')
    expect((await flush()).status).toBe(202)
    const { id } = await newestSession(backend, user)
    for (let n = 0; n < 2; n++) expect(await backend.gateway.services.relay.drain(id)).toBe('waiting')
    expect(callsOf(backend, 'add', await upstream())).toHaveLength(1)
    await relayQueued(backend, user)
    expect(await statesOf(user, session)).toEqual(['extracted'])
    await expectRemembered('The plover.')
  })

  it('during an add is given the messages of earlier calls again, too', async () => {
    await add('The plover. ')
    backend.fake.extractOnAdd = (buffered) => buffered.length - 1
    backend.fake.failNext('add', 'dropped')
    expect((await add('The curlew. ')).status).toBe(202)
    backend.fake.extractOnAdd = () => 0
    await relayQueued(backend, user)
    expect(heldTexts(backend, await upstream())).toEqual(['The plover. ', 'The curlew. '])
    expect((await flush()).status).toBe(200)
    await expectRemembered('The plover.', 'The curlew.')
  })
})

describe('a definite refusal', () => {
  const refusals: [string, Exclude<EverosFault, string>, number, string][] = [
    ['of a format', { status: 415, code: 'UNSUPPORTED_FORMAT' }, 415, 'unsupported_media_type'],
    ['of the input', { status: 422, code: 'INVALID_INPUT' }, 422, 'backend_rejected'],
    ['for want of a model', { status: 503, code: 'CAPABILITY_UNAVAILABLE' }, 502, 'backend_failed'],
  ]

  it.each(refusals)('%s is passed on, and nothing is kept', async (_what, fault, status, code) => {
    const before = objectKeys(backend.gateway)
    backend.fake.failNext('add', fault)
    const refused = await user.addMessage(session, 'Hello. ', [image])
    expect(refused).toMatchObject({ status, body: { error: { code, details: { backend_code: fault.code } } } })
    expect(await rowsOf(backend.gateway, user)).toEqual(noRows)
    expect(objectKeys(backend.gateway)).toEqual(before)
    expect((await user.get(`/sessions/${encodeURIComponent(session)}/messages`)).status).toBe(404)
  })

  it.each(refusals)(
    '%s is passed on to who adds a resource, and nothing is kept',
    async (_what, fault, status, code) => {
      const before = objectKeys(backend.gateway)
      backend.fake.failNext('add', fault)
      const refused = await user.addResource(png)
      expect(await rowsOf(backend.gateway, user)).toEqual(noRows)
      expect(objectKeys(backend.gateway)).toEqual(before)
      expect((await user.get('/resources')).body.resources).toEqual([])
      expect(refused).toMatchObject({ status, body: { error: { code, details: { backend_code: fault.code } } } })
    },
  )

  it('leaves what the session held before', async () => {
    await add('One. ')
    const before = objectKeys(backend.gateway)
    backend.fake.failNext('add', { status: 422, code: 'INVALID_INPUT' })
    expect((await user.addMessage(session, 'Two. ', [image])).status).toBe(422)
    expect(await statesOf(user, session)).toEqual(['accumulated'])
    expect(objectKeys(backend.gateway)).toEqual(before)
    expect((await add('Three. ')).status).toBe(200)
    expect(heldTexts(backend, await upstream())).toEqual(['One. ', 'Three. '])
  })

  it('of what was queued marks it as failed, and a resource can be tried again', async () => {
    backend.fake.failNext('add', { status: 503, code: 'EXTERNAL_SERVICE_UNAVAILABLE' })
    const { status, body: added } = await user.addResource(png)
    expect(status).toBe(202)
    backend.fake.failNext('add', { status: 415, code: 'UNSUPPORTED_FORMAT' })
    await relayQueued(backend, user)
    const path = `/resources/${added.resource_id}`
    expect((await user.get(path)).body).toMatchObject({ status: 'failed', error: 'UNSUPPORTED_FORMAT' })
    expect((await user.get('/resources?status=failed')).body.resources).toHaveLength(1)
    expect((await user.get(`${path}/content`)).status).toBe(200)

    expect((await user.post(`${path}/retry`)).status).toBe(202)
    const done = await until(
      () => user.get(path),
      (answer) => answer.body.status !== 'processing',
    )
    expect(done.body).toMatchObject({ status: 'extracted', error: null })
  })
})
