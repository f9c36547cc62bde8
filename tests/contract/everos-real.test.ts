import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createEverosBackend, type EverosOptions } from '../../src/adapters/memory-backend/everos/index.ts'
import {
  BackendError,
  type BackendFile,
  type BackendItem,
  type BackendMessage,
  type BackendSession,
  type MemoryBackend,
} from '../../src/ports/memory-backend.ts'
import { createUser, picture, tone, until } from '../helpers/client.ts'
import { s3Settings } from '../helpers/deployments.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { type RealEveros, startRealEveros } from '../helpers/real-everos.ts'
import { type LlmStub, startLlmStub } from '../services/llm-stub.ts'

// What a real EverOS says of each mishap, and what the gateway makes of it. Two processes of its own: one with every
// model and small limits, one with nothing but the chat model; the stub of the models fails as each test asks.

const isGiven = process.env.TEST_EVEROS_URL !== undefined

it.skipIf(isGiven || process.env.REQUIRE_SERVICES !== '1')('needs EverOS: set TEST_EVEROS_URL', () => {
  expect.unreachable('TEST_EVEROS_URL is not set')
})

describe.runIf(isGiven)('a real EverOS', { timeout: 60_000 }, () => {
  /** The prompt that writes a memory, as it stands in the JSON of a request. */
  const WRITES_MEMORY = '\\"title\\"'
  const releases: (() => Promise<unknown>)[] = []
  let stub: LlmStub
  let full: RealEveros
  let bare: RealEveros
  let clock = Date.now() - 86_400_000

  beforeAll(async () => {
    stub = await startLlmStub()
    ;[full, bare] = await Promise.all([
      startRealEveros(stub, {
        EVEROS_RERANK_URL: stub.url,
        EVEROS_MEMORIZE__SESSION_LOCK_TIMEOUT_SECONDS: '2',
        EVEROS_MEMORIZE__ASYNC_QUEUE__MAX_PENDING_PER_SESSION: '2',
        EVEROS_MEMORIZE__ASYNC_QUEUE__MAX_PAYLOAD_BYTES: '20000',
      }),
      startRealEveros(stub, { EVEROS_EMBEDDING_URL: '', EVEROS_MULTIMODAL_URL: '' }),
    ])
  }, 120_000)

  afterEach(async () => {
    stub.interfere = undefined
    for (const release of releases.splice(0).toReversed()) await release()
  })

  afterAll(async () => {
    await Promise.all([full?.stop(), bare?.stop()])
    await stub.close()
  })

  function connect(server: RealEveros, options: Partial<EverosOptions> = {}): MemoryBackend {
    const backend = createEverosBackend({ baseUrl: server.url, ...options })
    releases.push(() => backend.close())
    return backend
  }

  function newSession(): BackendSession {
    const id = () => randomBytes(8).toString('hex')
    return { projectId: `p${id()}`, senderId: `s${id()}`, sessionId: `c${id()}` }
  }

  function said(session: BackendSession, ...items: (string | BackendFile)[]): BackendMessage {
    clock += 1_000
    return {
      role: 'user',
      senderId: session.senderId,
      senderName: 'Alice',
      timestamp: clock,
      items: items.map(
        (item): BackendItem => (typeof item === 'string' ? { type: 'text', text: item } : { type: 'file', file: item }),
      ),
    }
  }

  function file(ext: string, bytes: Buffer, extra: Partial<BackendFile> = {}): BackendFile {
    return {
      kind: 'image',
      name: `sample.${ext}`,
      ext,
      mimeType: 'application/octet-stream',
      size: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      open: () => Promise.resolve(Readable.from([bytes])),
      presign: () => Promise.resolve(undefined),
      ...extra,
    }
  }

  async function failureOf(call: Promise<unknown>): Promise<BackendError> {
    const error = await call.then(
      (value) => expect.unreachable(`it should have failed: ${JSON.stringify(value)}`),
      (reason: unknown) => reason,
    )
    expect(error).toBeInstanceOf(BackendError)
    return error as BackendError
  }

  function rawPost(server: RealEveros, route: string, body: string | object): Promise<Response> {
    return fetch(`${server.url}/api/v2/memory/${route}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: typeof body === 'string' ? Buffer.from(body, 'latin1') : JSON.stringify(body),
    })
  }

  /** Fails the model whenever the request has the text, or its path ends so. */
  function failModel(where: string, instead: number | string = 500): void {
    stub.interfere = async (path, text) => (path.endsWith(where) || text.includes(where) ? instead : undefined)
  }

  /** Holds every answer of the models until the test lets go; `asked` once there is a first. */
  function holdModel(): { asked: Promise<void>; letGo: () => void } {
    const gate = Promise.withResolvers<undefined>()
    const first = Promise.withResolvers<void>()
    stub.interfere = () => {
      first.resolve()
      return gate.promise
    }
    const letGo = () => gate.resolve(undefined)
    releases.push(async () => letGo())
    return { asked: first.promise, letGo }
  }

  async function remember(backend: MemoryBackend, session: BackendSession, ...texts: string[]): Promise<void> {
    await backend.add(session, [said(session, ...texts)])
    await backend.flush(session)
  }

  async function bufferOf(server: RealEveros, { senderId, projectId, sessionId }: BackendSession): Promise<unknown[]> {
    const body = { user_id: senderId, project_id: projectId, query: '-', method: 'keyword' }
    const answer = await rawPost(server, 'search', { ...body, filters: { session_id: sessionId } })
    return ((await answer.json()) as { data: { unprocessed_messages: unknown[] } }).data.unprocessed_messages
  }

  const ask = ({ projectId, senderId }: BackendSession, query: string) => ({ projectId, senderId, query, topK: 5 })

  describe('its routes', () => {
    it('cannot delete: once it can, the documents and the suites have to say so', async () => {
      const { paths } = (await (await fetch(`${full.url}/openapi.json`)).json()) as { paths: Record<string, object> }
      const routes = Object.keys(paths).filter((path) => path.startsWith('/api/v2/memory/'))
      expect(routes.toSorted()).toEqual(['add', 'flush', 'get', 'search'].map((route) => `/api/v2/memory/${route}`))
      expect(await connect(full).forget(newSession())).toBe('unsupported')
    })

    it('are found under both prefixes, and an address without them says who has to act', async () => {
      for (const apiPrefix of ['/api/v1/memory', '/api/v2/memory/'])
        expect((await connect(full, { apiPrefix }).flush(newSession())).status).toBe('no_extraction')
      const lost = connect(full, { apiPrefix: '/api/v9/memory' })
      expect(await failureOf(lost.flush(newSession()))).toMatchObject({
        outcome: 'not_accepted',
        code: 'HTTP_404',
        needsOperator: true,
      })
    })
  })

  describe('search', () => {
    it.each(['keyword', 'vector', 'hybrid', 'agentic'] as const)(
      'by %s finds what was said, in English and Chinese',
      async (searchMethod) => {
        const backend = connect(full, { searchMethod })
        const session = newSession()
        await remember(backend, session, 'My tortoise is called Methuselah.')
        const other = { ...session, sessionId: `${session.sessionId}2` }
        await remember(backend, other, '我每个周末都去西湖跑步。')
        for (const [query, found] of [
          ['tortoise', 'Methuselah'],
          ['西湖跑步', '西湖'],
        ] as const) {
          const hits = await until(
            async () => (await backend.search(ask(session, query))).hits,
            (answer) => answer.some(({ text }) => text.includes(found)),
            45_000,
          )
          expect(hits.map(({ text }) => text).join()).toContain(found)
        }
      },
    )

    it('without embeddings is by keyword unless another is asked for, which needs the operator', async () => {
      const session = newSession()
      const backend = connect(bare)
      await remember(backend, session, 'My tortoise is called Methuselah.')
      await until(
        async () => (await backend.search(ask(session, 'tortoise'))).hits,
        ([hit]) => hit !== undefined,
        45_000,
      )
      for (const searchMethod of ['vector', 'hybrid', 'agentic'] as const) {
        expect(await failureOf(connect(bare, { searchMethod }).search(ask(session, 'tortoise')))).toMatchObject({
          outcome: 'not_accepted',
          code: 'PROVIDER_NOT_CONFIGURED',
          needsOperator: true,
        })
      }
    })

    it('in a way that the server does not have is a 502 with its code for the user', async () => {
      const gateway = await gatewayOn(bare, { EVEROS_SEARCH_METHOD: 'vector' })
      const user = await createUser(gateway.url)
      await user.addMessage('chat:1', 'My tortoise is called Methuselah.')
      expect(await user.post('/memories/search', { query: 'tortoise' })).toMatchObject({
        status: 502,
        body: { error: { code: 'backend_failed', details: { backend_code: 'PROVIDER_NOT_CONFIGURED' } } },
      })
    })
  })

  describe('error codes', () => {
    const cases: {
      readonly name: string
      readonly server?: () => RealEveros
      readonly options?: Partial<EverosOptions>
      readonly arrange?: (session: BackendSession) => unknown
      readonly call: (backend: MemoryBackend, session: BackendSession) => Promise<unknown>
      readonly code: string
      readonly outcome: BackendError['outcome']
      readonly needsOperator?: boolean
    }[] = [
      {
        name: 'more messages than a call may have',
        call: (backend, session) => backend.add(session, Array(501).fill(said(session, 'x'))),
        code: 'INVALID_INPUT',
        outcome: 'rejected',
      },
      {
        name: 'a reserved project',
        call: (backend, session) => backend.flush({ ...session, projectId: 'default_project' }),
        code: 'INVALID_INPUT',
        outcome: 'rejected',
      },
      {
        name: 'more hits than there may be',
        call: (backend, session) => backend.search({ ...ask(session, 'x'), topK: 101 }),
        code: 'INVALID_INPUT',
        outcome: 'rejected',
      },
      {
        name: 'a file that it does not read',
        call: (backend, session) => backend.add(session, [said(session, file('mp4', randomBytes(10)))]),
        code: 'UNSUPPORTED_FORMAT',
        outcome: 'rejected',
      },
      {
        name: 'an Office file without LibreOffice',
        call: (backend, session) => backend.add(session, [said(session, file('docx', randomBytes(10)))]),
        code: 'CAPABILITY_UNAVAILABLE',
        outcome: 'not_accepted',
        needsOperator: true,
      },
      {
        name: 'a picture without a model that sees',
        server: () => bare,
        call: (backend, session) => backend.add(session, [said(session, file('png', Buffer.from(picture)))]),
        code: 'CAPABILITY_UNAVAILABLE',
        outcome: 'not_accepted',
        needsOperator: true,
      },
      {
        name: 'a picture whose model is away',
        arrange: () => failModel('/chat/completions'),
        call: (backend, session) => backend.add(session, [said(session, file('png', Buffer.from(picture)))]),
        code: 'EXTERNAL_SERVICE_UNAVAILABLE',
        outcome: 'not_accepted',
      },
      {
        name: 'a search whose embedding model is away',
        options: { searchMethod: 'hybrid' },
        arrange: () => failModel('/embeddings'),
        call: (backend, session) => backend.search(ask(session, 'x')),
        code: 'EXTERNAL_SERVICE_UNAVAILABLE',
        outcome: 'not_accepted',
      },
      {
        name: 'a search whose embedding model is another than the index was made with',
        options: { searchMethod: 'hybrid' },
        arrange: () => failModel('/embeddings', '[1,2,3]'),
        call: (backend, session) => backend.search(ask(session, 'x')),
        code: 'CONFIGURATION_ERROR',
        outcome: 'unknown',
        needsOperator: true,
      },
      {
        name: 'messages whose model is away',
        arrange: () => failModel('/chat/completions'),
        call: (backend, session) => backend.add(session, [said(session, 'x'), said(session, 'y')]),
        code: 'INTERNAL_ERROR',
        outcome: 'unknown',
      },
      {
        name: 'a flush whose model is away',
        arrange: async (session) => {
          await connect(full).add(session, [said(session, 'x')])
          failModel('/chat/completions')
        },
        call: (backend, session) => backend.flush(session),
        code: 'INTERNAL_ERROR',
        outcome: 'unknown',
      },
      {
        name: 'a broken picture',
        call: (backend, session) => backend.add(session, [said(session, file('png', randomBytes(100)))]),
        code: 'INTERNAL_ERROR',
        outcome: 'unknown',
      },
      {
        name: 'an address that it cannot fetch',
        options: { presignAboveBytes: 1 },
        call: (backend, session) => {
          const presign = () => Promise.resolve('http://127.0.0.1:9/away.png')
          return backend.add(session, [said(session, file('png', Buffer.from(picture), { presign }))])
        },
        code: 'INTERNAL_ERROR',
        outcome: 'unknown',
      },
      {
        name: 'a session that another call holds for longer than its limit',
        arrange: async (session) => {
          const { asked } = holdModel()
          const held = connect(full).add(session, [said(session, file('png', Buffer.from(picture)))])
          held.catch(() => {})
          await asked
        },
        call: (backend, session) => backend.add(session, [said(session, 'x')]),
        code: 'INTERNAL_ERROR',
        outcome: 'unknown',
      },
      {
        name: 'a backlog in its queue',
        arrange: async (session) => {
          holdModel()
          for (let n = 0; n < 2; n++) await queueRaw(session)
        },
        call: (backend, session) => backend.add(session, [said(session, 'x')]),
        code: 'QUEUE_SATURATED',
        outcome: 'not_accepted',
      },
      {
        name: 'a call too long for its queue',
        arrange: async (session) => {
          holdModel()
          await queueRaw(session)
        },
        call: (backend, session) => backend.add(session, [said(session, 'x'.repeat(20_001))]),
        code: 'PAYLOAD_TOO_LARGE',
        outcome: 'rejected',
      },
    ]

    async function queueRaw(session: BackendSession): Promise<void> {
      const { role, senderId, timestamp } = said(session, '')
      const messages = [{ role, sender_id: senderId, timestamp, content: 'queued' }]
      const names = { session_id: session.sessionId, project_id: session.projectId }
      expect((await rawPost(full, 'add', { ...names, messages, async_mode: true })).status).toBe(202)
    }

    it.each(cases)('$name: $code, $outcome', async (mishap) => {
      const session = newSession()
      await mishap.arrange?.(session)
      const backend = connect(mishap.server?.() ?? full, mishap.options)
      expect(await failureOf(mishap.call(backend, session))).toMatchObject({
        code: mishap.code,
        outcome: mishap.outcome,
        needsOperator: mishap.needsOperator ?? false,
        answered: true,
      })
    })

    it('a body that is no text is a 400 outside its own envelope', async () => {
      const answer = await rawPost(full, 'add', '{"session_id":"\xff"}')
      expect([answer.status, await answer.json()]).toEqual([400, { detail: 'There was an error parsing the body' }])
    })

    it('keeps nothing of an add that it answers with an error, and takes it afterwards', async () => {
      const backend = connect(full)
      const session = newSession()
      const messages = [said(session, 'My tortoise'), said(session, 'is called Methuselah.')]
      const times = messages.map(({ timestamp }) => timestamp)
      failModel('/chat/completions')
      await failureOf(backend.add(session, messages))
      expect(await backend.findMissing(session, times)).toEqual(times)
      stub.interfere = undefined
      await backend.add(session, messages)
      expect(await backend.findMissing(session, times)).toEqual([])
    })

    it('takes a call behind a backlog as queued, which counts as taken', async () => {
      const session = newSession()
      const backend = connect(full)
      const { letGo } = holdModel()
      await queueRaw(session)
      expect((await backend.add(session, [said(session, 'x')])).status).toBe('accumulated')
      letGo()
      await expect.poll(() => bufferOf(full, session), { timeout: 15_000 }).toHaveLength(2)
    })
  })

  describe('what outlives a call', () => {
    it('goes on with an add whose client has left', async () => {
      const session = newSession()
      const messages = [said(session, 'one'), said(session, 'two')]
      const { letGo } = holdModel()
      const left = await failureOf(connect(full, { timeouts: { addMs: 500 } }).add(session, messages))
      expect(left).toMatchObject({ outcome: 'unknown', code: 'TIMEOUT' })
      const backend = connect(full)
      const times = messages.map(({ timestamp }) => timestamp)
      expect(await backend.findMissing(session, times)).toEqual(times)
      letGo()
      await expect.poll(() => backend.findMissing(session, times), { timeout: 15_000 }).toEqual([])
    })

    it('has neither buffer nor memory of what a flush with a failing model took, and says so when asked', async () => {
      const session = newSession()
      const backend = connect(full)
      const messages = [said(session, 'My tortoise'), said(session, 'is called Methuselah.')]
      const times = messages.map(({ timestamp }) => timestamp)
      await backend.add(session, messages)
      failModel(WRITES_MEMORY)
      await failureOf(backend.flush(session))
      stub.interfere = undefined
      expect((await backend.flush(session)).status).toBe('no_extraction')
      expect(await backend.findMissing(session, times)).toEqual(times)
    })

    it('sets a session aside whose boundaries its model cannot tell, and never takes those messages again', async () => {
      const session = newSession()
      const backend = connect(full)
      const messages = [said(session, 'one'), said(session, 'two')]
      failModel('/chat/completions', 'no JSON at all')
      for (let n = 0; n < 2; n++) expect((await failureOf(backend.add(session, messages))).code).toBe('INTERNAL_ERROR')
      expect(await failureOf(backend.add(session, messages))).toMatchObject({
        outcome: 'rejected',
        code: 'INVALID_INPUT',
      })
      stub.interfere = undefined
      expect((await failureOf(backend.add(session, messages))).code).toBe('INTERNAL_ERROR')
      expect((await backend.add(session, [said(session, 'three')])).status).toBe('accumulated')
    })
  })

  async function gatewayOn(server: RealEveros, settings: Record<string, string> = {}): Promise<TestGateway> {
    const gateway = await startGateway({ MEMORY_BACKEND: 'everos', EVEROS_BASE_URL: server.url, ...settings })
    releases.push(() => gateway.close())
    return gateway
  }

  describe('a gateway on it', () => {
    it('remembers a chat with picture and sound and a PDF, and finds them by Chinese', async () => {
      const gateway = await gatewayOn(full)
      const user = await createUser(gateway.url)
      const says: Record<string, string> = {
        'application/pdf': '合同里写着租金每月五千元。',
        'audio/': '一段短促的测试音。',
        'image/': '左上有红色方块。',
      }
      stub.interfere = async (_path, text) =>
        says[Object.keys(says).find((type) => text.includes(`data:${type}`)) ?? '']
      const files = [
        { field: 'pic', kind: 'image', name: 'shapes.png', bytes: picture },
        { field: 'sound', kind: 'audio', name: 'tone.wav', bytes: tone },
      ]
      expect((await user.addMessage('chat:1', '请记住这次上传。', files)).status).toBe(200)
      expect((await user.post('/memories/flush', { session_id: 'chat:1' })).body).toMatchObject({
        backend: { data: { status: 'extracted' } },
      })
      const pdf = readFileSync('fixtures/files/document.pdf')
      expect((await user.addResource({ name: 'contract.pdf', bytes: pdf })).body.status).toBe('extracted')

      const find = (query: string, scope: string, found: string) =>
        until(
          () => user.post('/memories/search', { query, conversation_id: '1', scope: [scope] }),
          ({ body }) => body.results[0]?.text.includes(found),
          45_000,
        )
      const chat = await find('红色方块在哪里', 'current_chat', '左上有红色方块')
      expect(chat.body.results[0].text).toContain('测试音')
      const names = chat.body.results[0].attachments.map(({ name }: { name: string }) => name)
      expect(names).toEqual(['shapes.png', 'tone.wav'])
      const { body } = await find('租金多少', 'resources', '每月五千元')
      const url = gateway.url + body.results[0].attachments[0].url
      const original = await fetch(url, { headers: { authorization: `Bearer ${user.key}` } })
      expect(Buffer.from(await original.arrayBuffer()).equals(pdf)).toBe(true)
    })

    it('sends again what a flush with a failing model took and did not keep', async () => {
      const gateway = await gatewayOn(full, { RELAY_WAIT_MS: '20000' })
      const user = await createUser(gateway.url)
      await user.addMessage('chat:1', 'My tortoise is called Methuselah.')
      await user.addMessage('chat:1', 'She is a hundred years old.')
      failModel(WRITES_MEMORY)
      const flushed = user.post('/memories/flush', { session_id: 'chat:1' })
      const failedOnce = 'gateway_relayed_batches_total{action="flush",outcome="stored"} 1'
      await expect.poll(() => gateway.services.metrics.registry.metrics(), { timeout: 20_000 }).toContain(failedOnce)
      stub.interfere = undefined
      expect((await flushed).status).toBeLessThan(300)
      const { body } = await until(
        () => user.post('/memories/search', { query: 'tortoise' }),
        // Until then the messages themselves are found.
        (answer) => answer.body.results.length > 0 && !answer.body.results[0].pending,
        45_000,
      )
      expect(body.results[0].text).toContain('Methuselah')
      expect(body.results[0].text).toContain('hundred years')
      expect((await user.get('/metrics')).body).toContain('gateway_resent_messages_total 2')
    })

    it.skipIf(!s3Settings)('has it fetch larger files from the object store by presigned address', async () => {
      const gateway = await gatewayOn(full, { ...s3Settings, EVEROS_PRESIGN_ABOVE: '300' })
      const user = await createUser(gateway.url)
      const shown: string[] = []
      stub.interfere = async (_path, text) => {
        const [, base64] = /data:image\/png;base64,([A-Za-z0-9+/=]+)/.exec(text) ?? []
        if (base64) shown.push(base64)
        return base64 ? 'A red square, seen through an address.' : undefined
      }
      const files = [{ field: 'pic', kind: 'image', name: 'shapes.png', bytes: picture }]
      expect((await user.addMessage('chat:1', 'Look.', files)).status).toBe(200)
      expect(shown.map((base64) => Buffer.from(base64, 'base64').equals(picture))).toEqual([true])
      await user.post('/memories/flush', { session_id: 'chat:1' })
      await until(
        () => user.post('/memories/search', { query: 'red square' }),
        ({ body }) => body.results[0]?.text.includes('seen through an address'),
        45_000,
      )
    })
  })
})
