import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../helpers/client.ts'
import { startFakeEveros } from '../helpers/fake-everos.ts'
import { type RawServer, startRawServer } from '../helpers/raw-server.ts'

// What makes EverOS dangerous to share, stated on its raw HTTP API: the gateway is built around these facts, and the fake
// behind the other tests is worth as much as it shares them with the real server.

// oxlint-disable-next-line typescript/no-explicit-any -- answers are looked at freely in tests
type Json = any
interface WireAnswer {
  readonly status: number
  readonly body: Json
}

const random = (prefix: string) => `${prefix}${randomBytes(8).toString('hex')}`
const newSession = () => ({ session_id: random('c'), project_id: random('p') })
const time = 1_700_000_000_000
const said = (sender: string, content: unknown, at = time) => ({
  sender_id: sender,
  sender_name: sender,
  role: 'user',
  timestamp: at,
  content,
})

function describeWire(name: string, open: () => Promise<{ url: string; close(): Promise<void> }>): void {
  describe(`the wire of ${name}`, { timeout: 60_000 }, () => {
    let server: Awaited<ReturnType<typeof open>>
    let canary: RawServer
    beforeAll(async () => {
      server = await open()
      canary = await startRawServer((_request, response) => void response.end('the fetched page'))
    })
    afterAll(async () => {
      await canary?.close()
      await server?.close()
    })

    async function ask(path: string, init: RequestInit): Promise<WireAnswer> {
      const response = await fetch(server.url + path, init)
      return { status: response.status, body: await response.json() }
    }
    const send = (route: string, text: string) =>
      ask(`/api/v2/memory/${route}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: text })
    const post = (route: string, body: unknown) => send(route, JSON.stringify(body))
    const add = (session: object, ...messages: unknown[]) => post('add', { ...session, messages })
    const look = async (user: string, { project_id, session_id }: ReturnType<typeof newSession>) =>
      (await post('search', { user_id: user, project_id, query: '-', method: 'keyword', filters: { session_id } })).body
        .data.unprocessed_messages
    const memoriesOf = async (user: string, { project_id }: ReturnType<typeof newSession>) =>
      (await post('get', { user_id: user, project_id, memory_type: 'episode' })).body.data.episodes

    describe('buffers', () => {
      it('have no owner: who names a session reads its messages and files, whoever they say they are', async () => {
        const session = newSession()
        const base64 = Buffer.from('the file of alice').toString('base64')
        const file = { type: 'doc', base64, ext: 'txt', name: 'n.txt' }
        await add(session, said('alice', [{ type: 'text', text: 'the word of alice' }, file]))
        const [row, ...more] = await look('mallory', session)
        expect(more).toEqual([])
        expect(row).toMatchObject({
          ...session,
          sender_id: 'alice',
          role: 'user',
          content: [
            { text: 'the word of alice' },
            { base64, parsed_content: expect.stringContaining('file of alice') },
          ],
        })
      })

      it('are shared by all who use the same session id', async () => {
        const session = newSession()
        await add(session, said('alice', 'one'))
        await add(session, said('bob', 'two', time + 1))
        const rows = await look('alice', session)
        expect(rows.map((row: Json) => row.sender_id)).toEqual(['alice', 'bob'])
        expect((await post('flush', session)).body.data).toEqual({ status: 'extracted' })
        expect(await look('alice', session)).toEqual([])
      })

      it('of another project are another buffer', async () => {
        const session = newSession()
        await add(session, said('alice', 'one'))
        expect(await look('alice', { ...session, project_id: random('p') })).toEqual([])
        expect((await post('flush', { ...session, project_id: random('p') })).body.data).toEqual({
          status: 'no_extraction',
        })
      })

      it('are shown only where the filter names the session plainly', async () => {
        const session = newSession()
        await add(session, said('alice', 'one'))
        const filters = [{ session_id: { in: [session.session_id] } }, {}]
        for (const filter of filters) {
          const query = { user_id: 'alice', project_id: session.project_id, query: '-', method: 'keyword' }
          const { body } = await post('search', { ...query, filters: filter })
          expect(body.data.unprocessed_messages).toEqual([])
        }
      })
    })

    describe('a message of equal session, time and position', () => {
      it('is dropped, and the answer is 200', async () => {
        const session = newSession()
        await add(session, said('alice', 'the first'))
        const { status, body } = await add(session, said('bob', 'the second'))
        expect({ status, data: body.data }).toEqual({
          status: 200,
          data: { message_count: 1, status: 'accumulated' },
        })
        const rows = await look('alice', session)
        expect(rows).toHaveLength(1)
        expect(JSON.stringify(rows)).not.toContain('the second')
      })

      it('of another position is kept', async () => {
        const session = newSession()
        await add(session, said('alice', 'the first'), said('alice', 'the second'))
        expect(await look('alice', session)).toHaveLength(2)
      })
    })

    describe('an extraction', () => {
      it('gives every speaker of role user the words of all, and nobody else', async () => {
        const session = newSession()
        const [one, two, three] = [random('w'), random('w'), random('w')]
        await add(session, said('alice', `My locker is ${one}.`), said('bob', `My locker is ${two}.`, time + 1), {
          ...said('helper', `Noted: ${three}.`, time + 2),
          role: 'assistant',
        })
        expect((await post('flush', session)).body.data).toEqual({ status: 'extracted' })
        for (const [user, foreign] of [
          ['alice', two],
          ['bob', one],
        ] as const) {
          const [memory] = await until(
            () => memoriesOf(user, session),
            (rows: Json[]) => rows.length > 0,
          )
          expect(memory).toMatchObject({ ...session, user_id: user, app_id: 'default' })
          expect(memory.sender_ids.toSorted()).toEqual(expect.arrayContaining(['alice', 'bob']))
          expect(memory.episode).toContain(foreign)
        }
        expect(await memoriesOf('helper', session)).toEqual([])
        expect(await memoriesOf('alice', { ...session, project_id: random('p') })).toEqual([])
      })
    })

    it('opens the addresses that a caller names', async () => {
      const session = newSession()
      const before = canary.started.length
      await add(session, said('alice', [{ type: 'doc', uri: `${canary.url}/note.txt`, ext: 'txt', name: 'note.txt' }]))
      await post('flush', session)
      expect(canary.started.length).toBeGreaterThan(before)
    })

    describe('errors', () => {
      const message = said('alice', 'x')
      const item = (content: object) => ({ ...newSession(), messages: [said('alice', [content])] })
      const query = { user_id: 'alice', project_id: 'p1', query: 'x', method: 'keyword' }
      const invalid: [string, string, unknown][] = [
        ['no messages', 'add', { ...newSession(), messages: [] }],
        ['501 messages', 'add', { ...newSession(), messages: Array.from({ length: 501 }, () => message) }],
        ['an unknown role', 'add', { ...newSession(), messages: [{ ...message, role: 'system' }] }],
        ['no time', 'add', { ...newSession(), messages: [{ ...message, timestamp: 0 }] }],
        ['a tool without its call', 'add', { ...newSession(), messages: [{ ...message, role: 'tool' }] }],
        ['a sender with a slash', 'add', { ...newSession(), messages: [said('a/b', 'x')] }],
        ['a project with a slash', 'add', { ...newSession(), project_id: 'a/b', messages: [message] }],
        ['a project ..', 'add', { ...newSession(), project_id: '..', messages: [message] }],
        ['a session id too long', 'add', { ...newSession(), session_id: 'x'.repeat(129), messages: [message] }],
        ['an unknown key in an item', 'add', item({ type: 'text', text: 'x', note: 1 })],
        ['an unknown type of item', 'add', item({ type: 'video', text: 'x' })],
        ['a flush of no session', 'flush', { project_id: 'p1' }],
        ['an empty query', 'search', { ...query, query: '' }],
        ['two owners', 'search', { ...query, agent_id: 'b' }],
        ['no owner', 'search', { ...query, user_id: undefined }],
        ['top_k 0', 'search', { ...query, top_k: 0 }],
        ['top_k 101', 'search', { ...query, top_k: 101 }],
        ['an unknown method', 'search', { ...query, method: 'magic' }],
        ['an unknown key in a search', 'search', { ...query, note: 1 }],
        ['an unknown filter', 'search', { ...query, filters: { note: 1 } }],
        ['an unknown type of memory', 'get', { user_id: 'alice', memory_type: 'dream' }],
        ['a page of 101', 'get', { user_id: 'alice', memory_type: 'episode', page_size: 101 }],
      ]

      it.each(invalid)('%s: 422 INVALID_INPUT in the envelope', async (_what, route, body) => {
        const answer = await post(route, body)
        expect(answer.status).toBe(422)
        expect(answer.body).toEqual({
          request_id: expect.stringMatching(/^[0-9a-f]{32}$/),
          error: {
            code: 'INVALID_INPUT',
            message: expect.any(String),
            timestamp: expect.any(String),
            path: `/api/v2/memory/${route}`,
          },
        })
      })

      it('what is not JSON is a 422 too', async () => {
        expect(await send('add', '{')).toMatchObject({ status: 422, body: { error: { code: 'INVALID_INPUT' } } })
      })

      it('a file without content, or of an unknown extension, is a 415', async () => {
        const files = [
          { type: 'image', text: 'x' },
          { type: 'image', base64: 'AAAA', ext: 'gif' },
        ]
        for (const file of files) {
          expect(await post('add', item(file))).toMatchObject({
            status: 415,
            body: { error: { code: 'UNSUPPORTED_FORMAT' } },
          })
        }
      })

      it('a refused add keeps nothing', async () => {
        const session = newSession()
        await add(session, message, { ...message, role: 'system' })
        await add(session, message, said('alice', [{ type: 'image', text: 'x' }], time + 1))
        expect(await look('alice', session)).toEqual([])
      })

      it('a route that does not exist is not answered in the envelope', async () => {
        const missing = await ask('/api/v9/memory/add', { method: 'POST' })
        expect(missing).toEqual({ status: 404, body: { detail: 'Not Found' } })
        expect(await ask('/api/v2/memory/search', {})).toEqual({ status: 405, body: { detail: 'Method Not Allowed' } })
      })
    })

    it('passes over unknown fields of an add, a message and a flush', async () => {
      const session = newSession()
      const answer = await post('add', {
        ...session,
        owner: 'bob',
        messages: [{ ...said('alice', 'x'), owner: 'bob' }],
      })
      expect(answer.status).toBe(200)
      expect((await look('alice', session))[0]).toMatchObject({ sender_id: 'alice' })
      expect(await post('flush', { ...session, user_id: 'bob' })).toMatchObject({
        status: 200,
        body: { data: { status: 'extracted' } },
      })
    })
  })
}

describeWire('the fake', startFakeEveros)

/** Started by `tests/services/everos.sh start`. */
const realUrl = process.env.TEST_EVEROS_URL

if (realUrl) {
  describeWire('the real EverOS', () => Promise.resolve({ url: realUrl, close: () => Promise.resolve() }))
} else {
  it.skipIf(process.env.REQUIRE_SERVICES !== '1')('the wire of the real EverOS needs TEST_EVEROS_URL', () => {
    throw new Error('TEST_EVEROS_URL is not set')
  })
}
