import { readdirSync } from 'node:fs'
import { type ClientRequest, request } from 'node:http'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { call, createUser, type TestUser, until } from '../helpers/client.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { fieldParts, multipartBody, multipartType, type Part } from '../helpers/multipart.ts'
import { rawRequest } from '../helpers/raw-request.ts'
import { noRows, rowsOf } from '../helpers/stored.ts'

const MIB = 1024 * 1024
const ADD = '/memories/add'
const UPLOAD = '/memories/add/multipart'
const json = { 'content-type': 'application/json' }
let gateway: TestGateway
let user: TestUser
const open: ClientRequest[] = []

beforeAll(async () => {
  gateway = await startGateway({ MAX_UPLOADS: '12' })
})
afterAll(() => gateway.close())
beforeEach(async () => {
  user = await createUser(gateway.url)
})
afterEach(async () => {
  vi.useRealTimers()
  for (const stalled of open.splice(0)) stalled.destroy()
  await until(inFlight, (count) => count === 0)
  expect(spooled()).toEqual([])
})

async function inFlight(): Promise<number> {
  const text = await gateway.services.metrics.registry.getSingleMetricAsString('gateway_uploads_in_flight')
  return Number(text.split(' ').at(-1))
}

const spooled = () => readdirSync(gateway.services.config.spoolDir)
const bearer = () => ({ authorization: `Bearer ${user.key}` })
const say = (content: unknown = 'Hello') => [{ role: 'user', content }]

/** Sends only the start of a body, and then nothing, keeping the connection; resolves with the status of an answer. */
function stall(path: string, headers: Record<string, string>, start: string | Uint8Array): Promise<number | undefined> {
  return new Promise((resolve) => {
    const stalled = request(gateway.url + path, { method: 'POST', agent: false, headers }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    stalled.on('error', () => resolve(undefined))
    stalled.write(start)
    open.push(stalled)
  })
}

const stalls = (count: number, ...args: Parameters<typeof stall>) => Array.from({ length: count }, () => stall(...args))

describe('a JSON body', () => {
  const tooMany = { status: 422, body: { error: { code: 'invalid_request', details: { max_json_values: 20_000 } } } }
  const inToolCall = (call: string) =>
    `{"session_id":"a","messages":[{"role":"user","content":"a","tool_calls":[${call}]}]}`

  it.each([
    ['a million messages', `{"session_id":"a","messages":[${'0,'.repeat(1_000_000)}0]}`],
    [
      '500 messages of 200 faulty items',
      `{"session_id":"a","messages":[${`{"content":[${'{},'.repeat(199)}{}]},`.repeat(499)}{}]}`,
    ],
    [
      'one tool call of 500 000 keys',
      inToolCall(`{${Array.from({ length: 500_000 }, (_, key) => `"${key}":0`).join(',')}}`),
    ],
    ['a million levels', inToolCall(`${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`)],
  ])('of a stranger with %s is refused before it is parsed', async (_what, body) => {
    const answer = await call(gateway.url + ADD, { method: 'POST', headers: json, body })
    expect(answer).toMatchObject(tooMany)
    if (body.length > 2 * MIB) return
    const parts = fieldParts({ user_key: user.key, session_id: 'a', messages: body })
    const headers = { 'content-type': multipartType }
    expect(await rawRequest(gateway.url + UPLOAD, { headers, body: multipartBody(parts) })).toMatchObject(tooMany)
  })

  it('with 501 messages is told how many there may be', async () => {
    const messages = Array.from({ length: 501 }, () => say()[0])
    const answer = await user.post(ADD, { session_id: 'chat:1', messages })
    expect(answer).toMatchObject({ status: 422, body: { error: { details: { max_messages: 500 } } } })
  })

  it('with 10 000 unknown keys is answered in few words', async () => {
    const keys = Array.from({ length: 10_000 }, (_, index) => `"key_${index}":0`).join(',')
    const answer = await call(gateway.url + ADD, { method: 'POST', headers: json, body: `{${keys}}` })
    expect(answer.status).toBe(422)
    expect(JSON.stringify(answer.body).length).toBeLessThan(2_000)
  })

  it('that is not UTF-8 is unreadable, and nothing is stored', async () => {
    const [before, after] = JSON.stringify({ session_id: 'a', messages: say('caf?') }).split('?')
    const body = Buffer.concat([Buffer.from(before!), Buffer.from([0xe9]), Buffer.from(after!)])
    const answer = await rawRequest(gateway.url + ADD, { headers: { ...json, ...bearer() }, body })
    expect(answer).toMatchObject({ status: 400, body: { error: { code: 'invalid_request' } } })
    expect(await rowsOf(gateway, user)).toEqual(noRows)
  })

  it.each([ADD, '/memories/flush', '/memories/search'])(
    'of whoever shows a wrong key is not waited for (%s)',
    async (path) => {
      const headers = { ...json, 'content-length': '1000' }
      expect(await stall(path, { ...headers, authorization: 'Bearer uk_wrong' }, '{')).toBe(401)
      expect(await stall(`${path}?user_key=uk_wrong`, headers, '{')).toBe(401)
    },
  )

  it('needs no key if the query has one', async () => {
    const query = `?user_id=${user.id}&user_key=${user.key}`
    const added = await call(`${gateway.url}${ADD}${query}`, {
      method: 'POST',
      headers: json,
      body: JSON.stringify({ session_id: 'chat:1', messages: say() }),
    })
    expect(added.status).toBe(200)
    const other = await createUser(gateway.url)
    const body = JSON.stringify({ session_id: 'chat:1', user_id: other.id })
    const flushed = await call(`${gateway.url}/memories/flush${query}`, { method: 'POST', headers: json, body })
    expect(flushed.status).toBe(401)
  })

  it('of strangers takes room of their own only', async () => {
    const headers = { ...json, 'content-length': String(2 * MIB) }
    const pending = stalls(15, '/memories/search', headers, '{')
    const anonymous = () =>
      call(`${gateway.url}/memories/search`, {
        method: 'POST',
        headers: json,
        body: JSON.stringify({ user_key: user.key, query: 'a', scope: ['resources'] }),
      })
    // A request of ours may stand in the way of a stalled one: another follows, and arrives first, until the room is theirs.
    const crowded = async () => {
      const connections = await gateway.connections()
      pending.push(...stalls(1, '/memories/search', headers, '{'))
      await until(gateway.connections, (count) => count > connections)
      await call(`${gateway.url}/ready`)
      return anonymous()
    }
    const refused = await until(crowded, ({ status }) => status !== 200)
    expect(refused).toMatchObject({ status: 503, body: { error: { code: 'unavailable' } } })
    expect(refused.headers.get('retry-after')).toBe('1')
    expect((await user.post('/memories/search', { query: 'a', scope: ['resources'] })).status).toBe(200)
    for (const stalled of open.splice(0)) stalled.destroy()
    await Promise.all(pending)
    await until(anonymous, ({ status }) => status === 200)
  })

  it('that is large takes a place of its user, and gives it back', async () => {
    const headers = { ...json, ...bearer(), 'content-length': String(3 * MIB) }
    const pending = stalls(4, ADD, headers, '{')
    await until(inFlight, (count) => count === 4)
    const large = () =>
      user.post(ADD, { session_id: 'chat:1', messages: say('a'.repeat(900_000)), x: 'a'.repeat(2 * MIB) })
    const refused = await large()
    expect(refused).toMatchObject({ status: 429, body: { error: { code: 'rate_limited' } } })
    expect((await user.post(ADD, { session_id: 'chat:1', messages: say() })).status).toBe(200)
    for (const stalled of open.splice(0)) stalled.destroy()
    await Promise.all(pending)
    await until(large, ({ status }) => status === 422)
  })

  it('with its key within is taken, also a large one', async () => {
    const base64 = Buffer.alloc(3 * MIB, 'a').toString('base64')
    const answer = await call(gateway.url + ADD, {
      method: 'POST',
      headers: json,
      body: JSON.stringify({ user_key: user.key, session_id: 'chat:1', messages: say([{ type: 'doc', base64 }]) }),
    })
    expect(answer.status, JSON.stringify(answer.body)).toBe(200)
  })
})

describe('uploads of strangers', () => {
  const file = (bytes: number): Part => ({ name: 'a', fileName: 'a.txt', body: 'a'.repeat(bytes) })
  const fields = () =>
    fieldParts({ session_id: 'chat:1', messages: JSON.stringify(say([{ type: 'doc', upload_id: 'a' }])) })
  const start = multipartBody([file(MIB)]).subarray(0, MIB / 2)
  const headers = { 'content-type': multipartType }

  it('leave those who show a key their places', async () => {
    const answers: (number | undefined)[] = []
    for (const pending of stalls(32, UPLOAD, headers, start)) void pending.then((status) => answers.push(status))
    await until(
      () => Promise.resolve(answers.length),
      (count) => count === 24,
    )
    expect(new Set(answers)).toEqual(new Set([503]))
    expect(await inFlight()).toBe(8)
    const anonymous = () => rawRequest(gateway.url + UPLOAD, { headers, body: multipartBody([...fields(), file(10)]) })
    const refused = await anonymous()
    expect(refused).toMatchObject({ status: 503, body: { error: { details: { max_uploads: 8 } } } })
    const body = multipartBody([...fields(), file(10)])
    const taken = await rawRequest(gateway.url + UPLOAD, { headers: { ...headers, ...bearer() }, body })
    expect(taken?.status).toBe(200)
  })

  it('give their place back once their key has come', async () => {
    const body = multipartBody([...fieldParts({ user_key: user.key }), file(MIB)]).subarray(0, MIB / 2)
    void stalls(4, UPLOAD, headers, body)
    await until(inFlight, (count) => count === 4)
    const fifth = await until(
      () =>
        rawRequest(gateway.url + UPLOAD, {
          headers,
          body: multipartBody([...fieldParts({ user_key: user.key }), ...fields(), file(10)]),
        }),
      (answer) => answer?.status === 429,
    )
    expect(fifth?.body.error.code).toBe('rate_limited')
    void stalls(8, UPLOAD, headers, start)
    await until(inFlight, (count) => count === 12)
  })

  it('end after 30 seconds without a key', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const pending = [stall(UPLOAD, headers, start), stall(ADD, { ...json, 'content-length': '100' }, '{')]
    const keyed = stall(
      UPLOAD,
      headers,
      multipartBody([...fieldParts({ user_key: user.key }), file(MIB)]).subarray(0, MIB / 2),
    )
    const tick = () => new Promise((resolve) => setImmediate(resolve))
    for (let turn = 0; turn < 2_000 && (await inFlight()) < 2; turn++) await tick()
    for (let turn = 0; turn < 500; turn++) await tick()
    vi.advanceTimersByTime(30_000)
    expect(await Promise.all(pending)).toEqual([401, 401])
    vi.useRealTimers()
    await until(inFlight, (count) => count === 1)
    expect(await Promise.race([keyed, Promise.resolve('going on')])).toBe('going on')
  })

  it.each([
    ['with a wrong key in the header', { authorization: 'Bearer uk_wrong' }, start, 401],
    [
      'with a wrong key in the form',
      {},
      multipartBody([...fieldParts({ user_key: 'uk_wrong' }), file(MIB)]).subarray(0, MIB / 2),
      401,
    ],
    [
      'with an unknown field',
      {},
      multipartBody([...fieldParts({ colour: 'red' }), file(MIB)]).subarray(0, MIB / 2),
      422,
    ],
  ])('%s are stopped before their end', async (_what, more, body, status) => {
    expect(await stall(UPLOAD, { ...headers, ...more }, body)).toBe(status)
  })

  it('with an unknown field are told which', async () => {
    const parts = [...fieldParts({ colour: 'red', shape: 'round' }), ...fields(), file(10)]
    for (const path of [UPLOAD, '/resources']) {
      const answer = await rawRequest(gateway.url + path, {
        headers: { ...headers, ...bearer() },
        body: multipartBody(parts),
      })
      expect(answer?.status).toBe(422)
      expect(answer?.body.error).toMatchObject({
        message: 'Unknown field: colour. A file needs a filename in its part.',
        details: { unknown_fields: ['colour'] },
      })
    }
  })
})

describe('keys of a user', () => {
  it('are 50 at most, also if they are asked for at once', async () => {
    const answers = await Promise.all(Array.from({ length: 60 }, () => user.post(`/users/${user.id}/keys`)))
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(49)
    const refused = answers.filter(({ status }) => status === 409)
    expect(refused).toHaveLength(11)
    expect(refused[0]?.body.error).toMatchObject({ code: 'conflict', details: { max_user_keys: 50 } })
    const made = answers.find(({ status }) => status === 201)
    await user.delete(`/users/${user.id}/keys/${made?.body.key_id}`)
    expect((await user.post(`/users/${user.id}/keys`)).status).toBe(201)
  })
})
