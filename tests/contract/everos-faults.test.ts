import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { Readable } from 'node:stream'
import { afterEach, describe, expect, it } from 'vitest'
import { createEverosBackend, type EverosOptions } from '../../src/adapters/memory-backend/everos/index.ts'
import {
  BackendError,
  type BackendFile,
  type BackendMessage,
  type BackendSession,
  type MemoryBackend,
} from '../../src/ports/memory-backend.ts'
import { ObjectNotFoundError } from '../../src/ports/object-store.ts'
import { type RawServer, startRawServer } from '../helpers/raw-server.ts'

const session: BackendSession = { projectId: 'p1', senderId: 's1', sessionId: 'c1' }
const apiPrefix = '/api/v2/memory'
const releases: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const release of releases.splice(0).toReversed()) await release()
})

async function serve(respond: (request: IncomingMessage, response: ServerResponse) => void): Promise<RawServer> {
  const server = await startRawServer(respond)
  releases.push(server.close)
  return server
}

function connect(baseUrl: string, options: Partial<EverosOptions> = {}): MemoryBackend {
  const backend = createEverosBackend({ baseUrl, apiPrefix, searchMethod: 'keyword', ...options })
  releases.push(() => backend.close())
  return backend
}

function said(...items: BackendMessage['items']): BackendMessage[] {
  return [{ role: 'user', senderId: 's1', senderName: 'Alice', timestamp: 1_700_000_000_000, items }]
}

const hello = said({ type: 'text', text: 'hello' })

function image(bytes: Buffer, extra: Partial<BackendFile> = {}): BackendFile {
  return {
    kind: 'image',
    name: 'a "quoted"\n猫.png',
    ext: 'png',
    mimeType: 'image/png',
    size: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    open: () => Promise.resolve(Readable.from(bytes.length > 0 ? pieces(bytes, 10_007) : [])),
    presign: () => Promise.resolve(undefined),
    ...extra,
  }
}

function* pieces(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function failureOf(call: Promise<unknown>): Promise<BackendError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(BackendError)
  return error as BackendError
}

function failuresOf(...calls: Promise<unknown>[]): Promise<BackendError[]> {
  return Promise.all(calls.map(failureOf))
}

const json = (response: ServerResponse, status: number, body: unknown) =>
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
const added = { request_id: 'r1', data: { message_count: 1, status: 'accumulated' } }
const takes = (_request: IncomingMessage, response: ServerResponse) => void json(response, 200, added)
const refuses = (status: number, code: string) => (_request: IncomingMessage, response: ServerResponse) =>
  void json(response, status, { request_id: 'r1', error: { code, message: 'why', timestamp: '', path: '' } })

async function silentTcpPort(): Promise<number> {
  const sockets = new Set<import('node:net').Socket>()
  const server = createTcpServer((socket) => void sockets.add(socket.on('error', () => {})))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  releases.push(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return (server.address() as AddressInfo).port
}

describe('everos: before anything was sent', () => {
  it('takes a refused connection as not accepted', async () => {
    const server = await startRawServer(takes)
    await server.close()
    const backend = connect(server.url)
    for (const error of await failuresOf(backend.add(session, hello), backend.flush(session))) {
      expect(error).toMatchObject({ outcome: 'not_accepted', code: 'UNREACHABLE', timedOut: false })
    }
    expect(await backend.health()).toMatchObject({ status: 'unavailable', baseUrl: server.url })
  })

  it('takes an unknown host as not accepted', async () => {
    const error = await failureOf(connect('http://no-such-host.invalid').add(session, hello))
    expect(error).toMatchObject({ outcome: 'not_accepted', code: 'UNREACHABLE' })
  })

  it('takes a connection that does not come about in time as not accepted', async () => {
    const port = await silentTcpPort()
    const backend = connect(`https://127.0.0.1:${port}`, { timeouts: { connectMs: 50 } })
    const error = await failureOf(backend.add(session, hello))
    expect(error).toMatchObject({ outcome: 'not_accepted', code: 'TIMEOUT', timedOut: true })
  })

  it('looks for the API when it is first used, and says so if there is none', async () => {
    const server = await serve((_request, response) => void json(response, 404, { detail: 'Not Found' }))
    const error = await failureOf(connect(server.url, { apiPrefix: undefined }).add(session, hello))
    expect(error).toMatchObject({ outcome: 'not_accepted', code: 'NOT_FOUND', needsOperator: true })
    expect(server.started.every((request) => request.method === 'GET')).toBe(true)
  })

  it('looks again after the server was away, and only once for calls at the same time', async () => {
    let away = true
    const server = await serve((request, response) => {
      if (request.method === 'POST') return takes(request, response)
      void json(response, away ? 502 : 405, {})
    })
    const backend = connect(server.url, { apiPrefix: undefined })
    expect(await failureOf(backend.add(session, hello))).toMatchObject({ outcome: 'not_accepted' })
    away = false
    await Promise.all([backend.add(session, hello), backend.add(session, hello)])
    expect(server.started.filter((request) => request.method === 'GET')).toHaveLength(2)
  })
})

describe('everos: refusals', () => {
  it.each([
    [400, 'BAD_REQUEST', 'rejected', false],
    [409, 'CONFLICT', 'rejected', false],
    [413, 'PAYLOAD_TOO_LARGE', 'rejected', false],
    [415, 'UNSUPPORTED_FORMAT', 'rejected', false],
    [422, 'INVALID_INPUT', 'rejected', false],
    [422, 'PROVIDER_NOT_CONFIGURED', 'not_accepted', true],
    [401, 'UNAUTHORIZED', 'not_accepted', true],
    [403, 'FORBIDDEN', 'not_accepted', true],
    [404, 'NOT_FOUND', 'not_accepted', true],
    [408, 'REQUEST_TIMEOUT', 'not_accepted', false],
    [429, 'QUEUE_SATURATED', 'not_accepted', false],
    [503, 'SESSION_BUSY', 'not_accepted', false],
    [503, 'EXTERNAL_SERVICE_UNAVAILABLE', 'not_accepted', false],
    [503, 'CAPABILITY_UNAVAILABLE', 'not_accepted', true],
    [500, 'INTERNAL_ERROR', 'unknown', false],
    [500, 'CONFIGURATION_ERROR', 'unknown', true],
    [503, 'SOMETHING_NEW', 'unknown', false],
  ])('%i %s is %s', async (status, code, outcome, needsOperator) => {
    const server = await serve(refuses(status, code))
    const backend = connect(server.url)
    const search = { ...session, query: 'x', topK: 1 }
    for (const error of await failuresOf(backend.add(session, hello), backend.flush(session), backend.search(search))) {
      expect(error).toMatchObject({ outcome, code, needsOperator, timedOut: false })
    }
  })

  it.each([
    [400, 'rejected', false],
    [404, 'not_accepted', true],
    [407, 'not_accepted', true],
    [429, 'not_accepted', false],
    [502, 'unknown', false],
    [504, 'unknown', false],
  ])('%i as a proxy says it is %s', async (status, outcome, needsOperator) => {
    const server = await serve((_request, response) => void response.writeHead(status).end('<html>proxy</html>'))
    const error = await failureOf(connect(server.url).add(session, hello))
    expect(error).toMatchObject({ outcome, code: `HTTP_${status}`, needsOperator })
  })
})

describe('everos: no usable answer', () => {
  const answers: [string, (request: IncomingMessage, response: ServerResponse) => void][] = [
    ['a page with status 200', (_request, response) => void response.end('<html></html>')],
    ['an empty 200', (_request, response) => void response.end()],
    ['JSON of another shape', (_request, response) => void json(response, 200, { ok: true })],
    [
      'a status it does not know',
      (_request, response) => void json(response, 200, { ...added, data: { message_count: 1, status: 'new' } }),
    ],
    [
      'half an answer',
      (_request, response) =>
        void response.writeHead(200, { 'content-length': 100 }).write('{"request', () => response.destroy()),
    ],
    ['a reset', (request) => void request.socket.resetAndDestroy()],
    ['something that is not HTTP', (request) => void request.socket.end('SSH-2.0-OpenSSH_9.9\r\n')],
    [
      'headers without end',
      (_request, response) => void response.writeHead(200, { 'x-big': 'x'.repeat(200_000) }).end(),
    ],
  ]

  it.each(answers)('%s is unknown', async (_name, respond) => {
    const server = await serve(respond)
    const backend = connect(server.url)
    for (const error of await failuresOf(backend.add(session, hello), backend.flush(session))) {
      expect(error).toMatchObject({ outcome: 'unknown', timedOut: false })
      expect(['BAD_ANSWER', 'UNREACHABLE']).toContain(error.code)
    }
  })

  it('does not read an answer of more than it is willing to hold', async () => {
    let written = 0
    const server = await serve((_request, response) => {
      response.writeHead(200)
      const more = () => {
        while (!response.destroyed && written < 1_000_000_000 && response.write(Buffer.alloc(64_000, 0x20)))
          written += 64_000
      }
      response.on('drain', more)
      more()
    })
    const error = await failureOf(connect(server.url, { maxAnswerBytes: 1_000_000 }).add(session, hello))
    expect(error).toMatchObject({ outcome: 'unknown', code: 'BAD_ANSWER' })
    expect(written).toBeLessThan(100_000_000)
  })

  it.each([301, 302, 303, 307, 308])('never follows a %i', async (status) => {
    const canary = await serve(takes)
    const server = await serve(
      (request, response) => void response.writeHead(status, { location: `${canary.url}${request.url}` }).end(),
    )
    const backend = connect(server.url)
    const search = { ...session, query: 'x', topK: 1 }
    for (const error of await failuresOf(
      backend.add(session, hello),
      backend.flush(session),
      backend.search(search),
      backend.forget(session),
    )) {
      expect(error).toMatchObject({ outcome: 'unknown', code: 'BAD_ANSWER', needsOperator: true })
    }
    expect((await backend.health()).status).toBe('unavailable')
    expect(canary.started).toHaveLength(0)
  })

  it.each<[string, (request: IncomingMessage, response: ServerResponse) => void]>([
    ['stalls', () => {}],
    ['stalls after its head', (_request, response) => response.writeHead(200).flushHeaders()],
    [
      'drips',
      (_request, response) => {
        const drip = setInterval(() => response.write(' '), 5)
        response.on('close', () => clearInterval(drip))
      },
    ],
  ])('gives up in time on a server that %s', async (_name, respond) => {
    const server = await serve(respond)
    const backend = connect(server.url, { timeouts: { addMs: 80, flushMs: 80, searchMs: 80 } })
    const search = { ...session, query: 'x', topK: 1 }
    const calls = [backend.add(session, hello), backend.flush(session), backend.search(search)]
    for (const error of await failuresOf(...calls)) {
      expect(error).toMatchObject({ outcome: 'unknown', code: 'TIMEOUT', timedOut: true })
    }
  })

  it('takes an abort after sending as a lost answer, and a caller’s time-out as one', async () => {
    const controller = new AbortController()
    const server = await serve(() => controller.abort())
    const error = await failureOf(connect(server.url).add(session, hello, controller.signal))
    expect(error).toMatchObject({ outcome: 'unknown', code: 'ABORTED', timedOut: false })
    const late = await failureOf(connect(server.url).add(session, hello, AbortSignal.timeout(50)))
    expect(late).toMatchObject({ outcome: 'unknown', code: 'TIMEOUT', timedOut: true })
  })
})

describe('everos: health', () => {
  it('never rejects, and answers also for a server that does not', async () => {
    const slow = await serve(() => {})
    const odd = await serve((_request, response) => void response.end('[]'))
    expect((await connect(slow.url).health()).status).toBe('unavailable')
    expect((await connect(odd.url).health()).status).toBe('unavailable')
  })

  it.each([
    [true, 'hybrid'],
    [false, 'keyword'],
  ])('searches by what the server can do: embed %s, %s', async (embed, method) => {
    const found = { request_id: 'r', data: { episodes: [], profiles: [] } }
    const server = await serve(
      ({ url }, response) =>
        void json(response, 200, url === '/health' ? { status: 'ok', capabilities: { embed } } : found),
    )
    await connect(server.url, { searchMethod: undefined }).search({ ...session, query: 'x', topK: 1 })
    expect(JSON.parse(server.bodies.at(-1)?.toString() ?? '')).toMatchObject({
      method,
      user_id: 's1',
      project_id: 'p1',
      app_id: 'default',
    })
  })
})

describe('everos: a search by a model that is gone', () => {
  async function serverThatLosesItsModel(): Promise<RawServer> {
    let embed = true
    return serve((request, response) => {
      if (request.url === '/health') return void json(response, 200, { status: 'ok', capabilities: { embed } })
      embed = false
      const { method } = JSON.parse(server.bodies.at(-1)?.toString() ?? '')
      if (method === 'hybrid') return refuses(422, 'PROVIDER_NOT_CONFIGURED')(request, response)
      void json(response, 200, { request_id: 'r', data: { episodes: [] } })
    })
  }
  let server: RawServer

  it('goes on by keyword when the server was started anew without it', async () => {
    server = await serverThatLosesItsModel()
    expect(await connect(server.url, { searchMethod: undefined }).search({ ...session, query: 'x', topK: 1 })).toEqual({
      hits: [],
      method: 'backend',
    })
  })

  it('fails if that is what the operator asked for', async () => {
    server = await serverThatLosesItsModel()
    const search = connect(server.url, { searchMethod: 'hybrid' }).search({ ...session, query: 'x', topK: 1 })
    expect((await failureOf(search)).code).toBe('PROVIDER_NOT_CONFIGURED')
  })
})

describe('everos: files', () => {
  it.each([1, 2, 3, 92_159, 92_160, 92_161, 1_048_577])('sends %i bytes as they are, of known length', async (size) => {
    const server = await serve(takes)
    const bytes = randomBytes(size)
    const text = 'before "it" \u{1F600}'
    const messages = [...said({ type: 'text', text }, { type: 'file', file: image(bytes) }), ...hello]
    await connect(server.url).add(session, messages)
    const [body] = server.bodies
    expect(server.started[0]?.headers).toMatchObject({
      'content-length': String(body?.length),
      'content-type': 'application/json',
    })
    expect(server.started[0]?.headers['transfer-encoding']).toBeUndefined()
    const sent = JSON.parse(body?.toString() ?? '')
    expect(sent).toMatchObject({ session_id: 'c1', app_id: 'default', project_id: 'p1' })
    expect(sent.messages).toHaveLength(2)
    const [first, file] = sent.messages[0].content
    expect(first).toEqual({ type: 'text', text })
    expect(Object.keys(file).toSorted()).toEqual(['base64', 'ext', 'name', 'type'])
    expect(file).toMatchObject({ type: 'image', ext: 'png', name: 'a "quoted"\n猫.png' })
    expect(Buffer.from(file.base64, 'base64').equals(bytes)).toBe(true)
    expect(file.base64).toBe(bytes.toString('base64'))
  })

  it('sends several files in one body', async () => {
    const server = await serve(takes)
    const files = [randomBytes(100_000), randomBytes(7), randomBytes(200_001)]
    await connect(server.url).add(
      session,
      said(...files.map((bytes) => ({ type: 'file', file: image(bytes) }) as const)),
    )
    const { messages } = JSON.parse(server.bodies[0]?.toString() ?? '')
    const received = messages[0].content.map((item: { base64: string }) => Buffer.from(item.base64, 'base64'))
    expect(received).toEqual(files)
  })

  it('sends an empty file as its name: EverOS refuses an empty base64', async () => {
    const server = await serve(takes)
    await connect(server.url).add(session, said({ type: 'file', file: image(Buffer.alloc(0), { name: 'empty.png' }) }))
    const { messages } = JSON.parse(server.bodies[0]?.toString() ?? '')
    expect(messages[0].content).toEqual([{ type: 'text', text: '[IMAGE: empty.png]\n' }])
  })

  it('sends a small text file as text, a larger one or other bytes as a document', async () => {
    const server = await serve(takes)
    const text = (bytes: Buffer, extra: Partial<BackendFile> = {}) =>
      ({
        type: 'file',
        file: image(bytes, { kind: 'doc', name: 'n.json', ext: 'json', mimeType: 'application/json', ...extra }),
      }) as const
    const large = Buffer.alloc(256 * 1024 + 1, 'a')
    const latin1 = Buffer.from('caf\xe9', 'latin1')
    await connect(server.url).add(session, said(text(Buffer.from('{"猫":1}')), text(large), text(latin1)))
    const { messages } = JSON.parse(server.bodies[0]?.toString() ?? '')
    expect(messages[0].content).toEqual([
      { type: 'text', text: '[DOC: n.json]\n{"猫":1}' },
      { type: 'doc', name: 'n.json', ext: 'txt', base64: large.toString('base64') },
      { type: 'doc', name: 'n.json', ext: 'txt', base64: latin1.toString('base64') },
    ])
  })

  it('sends larger files as a presigned URL where it may and there is one', async () => {
    const server = await serve(takes)
    const backend = connect(server.url, { presignAboveBytes: 10 })
    const presign = () => Promise.resolve('https://store.example/key?sig=1')
    const large = randomBytes(11)
    await backend.add(
      session,
      said(
        { type: 'file', file: image(large, { presign }) },
        { type: 'file', file: image(large) },
        { type: 'file', file: image(randomBytes(10), { presign }) },
      ),
    )
    const { messages } = JSON.parse(server.bodies[0]?.toString() ?? '')
    expect(messages[0].content.map((item: object) => Object.keys(item).at(-1))).toEqual(['uri', 'base64', 'base64'])
  })

  const wrong: [string, (bytes: Buffer) => Partial<BackendFile>, boolean][] = [
    ['has other content', (bytes) => ({ sha256: createHash('sha256').update(bytes).update('x').digest('hex') }), true],
    ['is shorter', (bytes) => ({ size: bytes.length + 1 }), true],
    ['is shorter by a base64 group', (bytes) => ({ size: bytes.length + 3 }), true],
    ['is longer', (bytes) => ({ size: bytes.length - 1 }), true],
    ['breaks off', (bytes) => ({ open: () => Promise.resolve(Readable.from(breaking(bytes))) }), false],
    ['is away', () => ({ open: () => Promise.reject(new Error('away')) }), false],
    ['is gone', () => ({ open: () => Promise.reject(new ObjectNotFoundError('gone')) }), true],
  ]

  it.each(wrong)('never completes a request whose original %s', async (_name, change, needsOperator) => {
    const server = await serve(takes)
    for (const size of [5, 92_160, 300_000]) {
      const bytes = randomBytes(size)
      const items = [{ type: 'file', file: image(bytes, change(bytes)) }] as const
      const error = await failureOf(connect(server.url).add(session, said(...items)))
      expect(error).toMatchObject({ outcome: 'not_accepted', code: 'BAD_ORIGINAL', needsOperator })
    }
    await connect(server.url).add(session, hello)
    expect(server.bodies).toHaveLength(1)
  })

  it('calls a reset in mid-body not accepted: the server cannot have a complete request', async () => {
    const port = await silentTcpPort()
    const gate = Promise.withResolvers<void>()
    const bytes = randomBytes(300_000)
    const file = image(bytes, { open: () => Promise.resolve(Readable.from(held(bytes, gate.promise))) })
    const backend = connect(`http://127.0.0.1:${port}`, { timeouts: { addMs: 80 } })
    const error = await failureOf(backend.add(session, said({ type: 'file', file })))
    gate.resolve()
    expect(error).toMatchObject({ outcome: 'not_accepted', code: 'TIMEOUT', timedOut: true })
  })

  it('holds back base64 beyond its bound until there is room, in order', async () => {
    const gate = Promise.withResolvers<void>()
    const flushed = { request_id: 'r2', data: { status: 'no_extraction' } }
    const server = await serve(({ url }, response) => {
      if (url?.endsWith('/flush')) return void json(response, 200, flushed)
      void gate.promise.then(() => json(response, 200, added))
    })
    const backend = connect(server.url, { base64InFlightBytes: 200_000 })
    const add = (size: number, signal?: AbortSignal) =>
      backend.add(session, said({ type: 'file', file: image(randomBytes(size)) }), signal)
    const first = add(100_000)
    while (server.bodies.length < 1) await new Promise((resolve) => setImmediate(resolve))
    const controller = new AbortController()
    const given = failureOf(add(100_000, controller.signal))
    const second = add(100_000)
    await backend.flush(session)
    expect(server.started.filter(({ url }) => url?.endsWith('/add'))).toHaveLength(1)
    controller.abort()
    expect(await given).toMatchObject({ outcome: 'not_accepted', code: 'ABORTED' })
    gate.resolve()
    await Promise.all([first, second, add(1_000_000)])
    expect(server.started.filter(({ url }) => url?.endsWith('/add'))).toHaveLength(3)
  })
})

function* breaking(bytes: Buffer): Generator<Buffer> {
  yield bytes.subarray(0, bytes.length - 1)
  throw new Error('disk on fire')
}

async function* held(bytes: Buffer, gate: Promise<void>): AsyncGenerator<Buffer> {
  yield bytes.subarray(0, 200_000)
  await gate
  yield bytes.subarray(200_000)
}

describe('everos: a look after a lost answer', () => {
  it('reads a buffer full of base64 without holding it', async () => {
    const message = {
      id: 'm',
      project_id: 'p1',
      session_id: 'c1',
      timestamp: '2026-01-02T03:04:05.006000+00:00',
      content: [{ type: 'image', base64: 'A'.repeat(20_000_000) }],
    }
    const text = '\\\\n\\"\n猫'.repeat(100)
    const data = { episodes: [], unprocessed_messages: [message, { ...message, content: text }] }
    const server = await serve((_request, response) => void json(response, 200, { request_id: 'r', data }))
    const backend = connect(server.url, { maxAnswerBytes: 2_000_000 })
    expect(await backend.findMissing(session, [Date.UTC(2026, 0, 2, 3, 4, 5, 6)])).toEqual([])
  })
})

describe('everos: a search', () => {
  const row = {
    id: 'e1',
    user_id: 's9',
    project_id: 'p9',
    session_id: 'c9',
    timestamp: '2026-01-02T03:04:05+08:00',
    summary: 'short',
    subject: '',
    episode: '',
    score: 0.4,
    atomic_facts: [{ id: 'f', content: 'fact', score: 1 }],
    new_key: 1,
  }

  it('says whose a row is as the server says, so that the caller can check', async () => {
    const rows = [row, { ...row, id: 'e2', score: 0.9, episode: 'long' }, { ...row, id: 'merged', session_id: null }]
    const server = await serve(
      (_request, response) => void json(response, 200, { request_id: 'r', data: { episodes: rows } }),
    )
    const { hits } = await connect(server.url).search({
      ...session,
      query: 'x',
      topK: 5,
      minScore: 0.1,
      from: 1,
      to: 2,
      sessionIds: ['c1'],
    })
    const shared = {
      projectId: 'p9',
      senderId: 's9',
      sessionId: 'c9',
      facts: ['fact'],
      timestamp: Date.UTC(2026, 0, 1, 19, 4, 5),
    }
    expect(hits).toEqual([
      { ...shared, id: 'e2', text: 'long', score: 0.9 },
      { ...shared, id: 'e1', text: 'short', score: 0.4 },
    ])
    expect(JSON.parse(server.bodies[0]?.toString() ?? '')).toEqual({
      user_id: 's1',
      app_id: 'default',
      project_id: 'p1',
      query: 'x',
      method: 'keyword',
      top_k: 5,
      min_score: 0.1,
      filters: { session_id: { in: ['c1'] }, timestamp: { gte: 1, lte: 2 } },
    })
  })

  it('asks for more than 500 sessions in several calls and merges them by score', async () => {
    let call = 0
    const server = await serve((_request, response) => {
      call += 1
      void json(response, 200, { request_id: 'r', data: { episodes: [{ ...row, id: `e${call}`, score: call / 10 }] } })
    })
    const sessionIds = Array.from({ length: 1_001 }, (_, index) => `c${index}`)
    const { hits } = await connect(server.url).search({ ...session, query: 'x', topK: 2, sessionIds })
    expect(hits.map((hit) => hit.score)).toEqual([0.3, 0.2])
    const asked = server.bodies.map((body) => JSON.parse(body.toString()).filters.session_id.in)
    expect(asked.map((ids) => String(ids.length)).toSorted()).toEqual(['1', '500', '500'])
    expect(new Set(asked.flat())).toEqual(new Set(sessionIds))
  })
})

describe('everos: forgetting', () => {
  it.each([
    [404, { detail: 'Not Found' }, 'unsupported'],
    [405, { detail: 'Method Not Allowed' }, 'unsupported'],
    [404, { request_id: 'r', error: { code: 'NOT_FOUND', message: '' } }, 'forgotten'],
    [200, { request_id: 'r', data: { count: 0 } }, 'forgotten'],
  ])('%i %j is %s', async (status, body, result) => {
    const server = await serve((_request, response) => void json(response, status, body))
    expect(await connect(server.url).forget(session)).toBe(result)
    expect(JSON.parse(server.bodies[0]?.toString() ?? '')).toEqual({
      app_id: 'default',
      project_id: 'p1',
      session_id: 'c1',
    })
  })

  it('deletes an owner where no session is named, and says when the session is busy', async () => {
    const server = await serve(refuses(503, 'SESSION_BUSY'))
    const error = await failureOf(connect(server.url).forget({ projectId: 'p1', senderId: 's1' }))
    expect(error).toMatchObject({ outcome: 'not_accepted', code: 'SESSION_BUSY' })
    expect(JSON.parse(server.bodies[0]?.toString() ?? '')).toEqual({
      app_id: 'default',
      project_id: 'p1',
      user_id: 's1',
    })
  })
})
