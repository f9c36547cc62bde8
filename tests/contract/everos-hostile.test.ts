import { afterEach, expect, it } from 'vitest'
import { createEverosBackend } from '../../src/adapters/memory-backend/everos/index.ts'
import type { BackendMessage, MemoryBackend } from '../../src/ports/memory-backend.ts'
import { startFakeEveros } from '../helpers/fake-everos.ts'
import { startRawServer } from '../helpers/raw-server.ts'

// An EverOS that mixes what belongs to others into its answers: what the adapter itself must not pass on or believe. Rows of a
// search are the caller's of the port to check.

const session = { projectId: 'p1', senderId: 's1', sessionId: 'c1' }
const hello: BackendMessage[] = [
  {
    role: 'user',
    senderId: 's1',
    senderName: 'Alice',
    timestamp: 1_700_000_000_000,
    items: [{ type: 'text', text: 'hello' }],
  },
]
const added = { request_id: 'Bob said zq1', data: { message_count: 1, status: 'accumulated' } }
const releases: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const release of releases.splice(0).toReversed()) await release()
})

/** A backend on a server that answers every call so. */
async function connect(answer: () => unknown, status = 200): Promise<MemoryBackend> {
  const server = await startRawServer(
    (_request, response) =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer())),
  )
  const backend = createEverosBackend({ baseUrl: server.url, apiPrefix: '/api/v2/memory', searchMethod: 'keyword' })
  releases.push(server.close, () => backend.close())
  return backend
}

it('never repeats the words of the server: they may quote anybody', async () => {
  const error = { code: 'INVALID_INPUT', message: 'zq1', timestamp: 'zq1', path: 'zq1' }
  const answers = [
    { request_id: 'zq1', error },
    { request_id: 'zq1', error: { ...error, code: 'Bob said zq1' } },
  ]
  const backend = await connect(() => answers.shift(), 422)
  for (const code of ['INVALID_INPUT', 'HTTP_422']) {
    const refused = await backend.add(session, hello).catch((reason: unknown) => reason)
    expect(refused).toMatchObject({ outcome: 'rejected', code, message: expect.not.stringContaining('zq1') })
  }
  const talkative = await connect(() => added)
  expect(await talkative.add(session, hello)).toMatchObject({ requestId: 'unknown' })
})

it('passes on of the health what it knows, and no text that could be anybody’s', async () => {
  const known = {
    status: 'ok',
    version: '1.5.1',
    capabilities: { llm: true, embed: false },
    disabled_features: ['agentic_search'],
    cascade: { healthy: true, pending: 2 },
  }
  const more = { ...known, capabilities: { ...known.capabilities, secret: 'zq1' }, junk: 'zq1'.repeat(100_000) }
  const healthy = await connect(() => more)
  expect((await healthy.health()).data).toEqual(known)
  const texts = { version: 'zq1 said so', disabled_features: ['zq1'], capabilities: 'zq1', cascade: 'zq1' }
  const odd = await connect(() => ({ ...known, ...texts }))
  expect((await odd.health()).data).toEqual({ status: 'ok' })
})

it('believes only rows of the session: another’s of the same time would make a lost message look safe', async () => {
  const time = Date.UTC(2026, 0, 2)
  const own = { id: 'e', user_id: 's1', project_id: 'p1', session_id: 'c1', timestamp: '2026-01-02T00:00:00Z' }
  const foreign = [{ project_id: 'p9' }, { session_id: 'c9' }, { session_id: null }, { user_id: 's9' }]
  const rows = foreign.map((change) => ({ ...own, ...change }))
  const messages = rows.slice(0, 2)
  let answers: object[] = [{ episodes: [], unprocessed_messages: messages }, { episodes: rows }]
  const backend = await connect(() => ({ request_id: '1', data: answers.shift() }))
  expect(await backend.findMissing(session, [time])).toEqual([time])
  answers = [{ episodes: [], unprocessed_messages: messages }, { episodes: [...rows, own] }]
  expect(await backend.findMissing(session, [time])).toEqual([])
})

it.each([
  ['reset', 'UNREACHABLE'],
  ['stall', 'TIMEOUT'],
  ['half-open', 'TIMEOUT'],
  ['drip', 'TIMEOUT'],
  ['hold', 'TIMEOUT'],
  ['html', 'BAD_ANSWER'],
  ['endless', 'BAD_ANSWER'],
  ['gzip', 'BAD_ANSWER'],
  ['redirect', 'BAD_ANSWER'],
] as const)('calls the outcome of any call unknown after: %s', async (fault, code) => {
  const canary = await startRawServer((_request, response) => void response.end())
  const fake = await startFakeEveros({ elsewhere: canary.url })
  const backend = createEverosBackend({
    baseUrl: fake.url,
    apiPrefix: '/api/v2/memory',
    searchMethod: 'keyword',
    // What takes its time must run out of it; what answers must be given the time to.
    timeouts: code === 'TIMEOUT' ? { addMs: 150, flushMs: 150, searchMs: 150 } : {},
  })
  releases.push(canary.close, fake.close, () => backend.close())
  for (const route of ['add', 'flush', 'search'] as const) fake.failNext(route, fault)
  const calls = [
    backend.add(session, hello),
    backend.flush(session),
    backend.search({ ...session, query: 'x', topK: 1 }),
  ]
  for (const result of await Promise.allSettled(calls)) {
    expect(result).toMatchObject({ status: 'rejected', reason: { outcome: 'unknown', code } })
  }
  expect(canary.started).toHaveLength(0)
})
