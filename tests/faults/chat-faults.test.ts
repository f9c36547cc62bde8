import { once } from 'node:events'
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { type ClientRequest, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { MEMORY_ARGUMENTS, restingMemory } from '../helpers/alive-memory.ts'
import { createUser, picture, type TestUser, until } from '../helpers/client.ts'
import { placeTemplate, postgresTemplate } from '../helpers/database-template.ts'
import { type FakeEveros, startFakeEveros } from '../helpers/fake-everos.ts'
import { type GatewayProcess, spawnGateway } from '../helpers/process.ts'
import { isLong, seed } from '../helpers/seed.ts'
import { type StubProvider, startStubProvider, writeParts } from '../helpers/stub-provider.ts'
import { createPostgresDatabase, testDatabaseUrl } from '../helpers/test-database.ts'
import { type ChatCall, chat, completion, DONE, delta, question, type Seen, STOP } from './chat-journal.ts'
import { messagesOf, textOf } from './check-chats.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'
import { hashOf } from './journal.ts'
import { Decisions } from './random.ts'

const MODEL_TIMEOUT_MS = 1_500
const MEMORY_WAIT_MS = 600
/** What a busy machine adds to a bound. */
const SLACK_MS = 1_500
/** The end of an answer waits for its exchange no longer. */
const HELD_MS = 2_000
const DATABASE_MS = 6_000

let dir: string
let dropDatabase: (() => Promise<void>) | undefined
let everos: FakeEveros
let provider: StubProvider
const proxies: Partial<Record<'database' | 'backend' | 'model', FaultProxy>> = {}
let gateway: GatewayProcess
let user: TestUser
let threads = 0

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'gateway-chats-'))
  everos = await startFakeEveros()
  provider = await startStubProvider()
  proxies.backend = await startFaultProxy(everos.url)
  proxies.model = await startFaultProxy(provider.url)
  const settings: Record<string, string> = {}
  if (testDatabaseUrl) {
    const { url, drop } = await createPostgresDatabase(testDatabaseUrl, postgresTemplate())
    dropDatabase = drop
    proxies.database = await startFaultProxy(url)
    Object.assign(settings, { DATABASE_URL: proxies.database.url, DATABASE_POOL_SIZE: '5' })
  } else placeTemplate(dir)
  gateway = await spawnGateway({
    STORAGE_DIR: dir,
    MEMORY_BACKEND: 'everos',
    EVEROS_BASE_URL: proxies.backend.url,
    MODEL_PROVIDERS: JSON.stringify({ local: { base_url: provider.url }, weak: { base_url: proxies.model.url } }),
    MODEL_TIMEOUT_MS: String(MODEL_TIMEOUT_MS),
    MEMORY_WAIT_MS: String(MEMORY_WAIT_MS),
    RATE_LIMIT_PROXY_10S: '0',
    ...settings,
  })
  user = await createUser(gateway.url)
  provider.script('/chat/completions', (response) => void response.end(completion('Fine.')))
})
afterEach(() => Promise.all(Object.values(proxies).map((proxy) => proxy.set({ mode: 'pass' }))))
afterAll(async () => {
  await gateway?.stop('SIGKILL')
  for (const proxy of Object.values(proxies)) await proxy.close()
  await provider.close()
  await everos.close()
  await dropDatabase?.()
  rmSync(dir, { recursive: true, force: true })
})

/** A thread of its own. */
function newThread() {
  const id = `thread-${++threads}`
  const thread = { id, resource: user.id }
  return {
    send: (body: object, more: Partial<ChatCall> = {}): Promise<Seen> =>
      chat({ url: gateway.url, key: user.key, thread, body, ...more }),
    /** What is said in it; files as their hashes. */
    async stored(): Promise<string[]> {
      return (await messagesOf(gateway.url, user, id)).map((message) => textOf(message).trim())
    },
  }
}

const streamed = (text: string, script: string, files: Parameters<typeof question>[1] = []) => ({
  body: question(text, files, { stream: true }),
  headers: { 'x-script': script },
})

function sse(response: ServerResponse, type = 'text/event-stream'): ServerResponse {
  return response.writeHead(200, { 'content-type': type })
}

/** A stream that stands still behind its first word until it is let go on. */
function scriptGate(name: string) {
  const reached = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  provider.script(name, async (response) => {
    await writeParts(sse(response), [delta('First ')])
    reached.resolve()
    await gate.promise
    response.end(delta('and last.') + STOP + DONE)
  })
  return { reached: reached.promise, open: gate.resolve }
}

async function healthy(): Promise<void> {
  const thread = newThread()
  const seen = await until(
    () => thread.send(question('Are you well?')),
    ({ status }) => status === 200,
  )
  expect(seen.text).toBe(completion('Fine.'))
}

async function residentMiB({ pid } = gateway): Promise<number> {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1])
  return (pages * 4096) / 2 ** 20
}

/** In the short form those that differ most. */
const withinStream = isLong ? (['refuse', 'stall', 'half-open', 'reset'] as const) : (['stall', 'half-open'] as const)

describe.skipIf(!testDatabaseUrl)('a chat while the database', () => {
  it.each(withinStream)('%ss within its stream goes on, ends in time, and is saved later', async (mode) => {
    const thread = newThread()
    const { reached, open } = scriptGate(`database-${mode}`)
    const file = { kind: 'image' as const, name: 'p.png', bytes: picture }
    let hasFirst = false
    const { body, headers } = streamed('Go on?', `database-${mode}`, [file])
    const going = thread.send(body, { headers, onText: () => void (hasFirst = true) })
    await reached
    await until(async () => hasFirst, Boolean)
    await proxies.database?.set({ mode })
    const from = performance.now()
    open()
    const seen = await going
    const heldMs = Math.round(seen.overAt - from)
    expect(seen.text).toBe(delta('First ') + delta('and last.') + STOP + DONE)
    expect(heldMs).toBeLessThan(HELD_MS + SLACK_MS)
    if (mode !== 'half-open') await pause(1_000)
    await proxies.database?.set({ mode: 'pass' })
    const back = performance.now()
    const stored = await until(
      () => thread.stored().catch(() => []),
      (said) => said.length > 0,
      30_000,
    )
    expect(stored).toEqual(['Go on?\n[Image #1]', 'First and last.'])
    console.log(
      `database ${mode}: end held ${heldMs} ms, saved ${Math.round(performance.now() - back)} ms after it was back`,
    )
    await healthy()
  })

  it.each(['refuse', 'stall', 'close'] as const)('%ss before it is refused in time', async (mode) => {
    await proxies.database?.set({ mode })
    const seen = await newThread().send(question('Hello?'))
    expect([seen.status, seen.ms < DATABASE_MS]).toEqual([503, true])
    expect(JSON.parse(seen.text).error.type).toBe('api_error')
    console.log(`database ${mode} before the chat: 503 after ${seen.ms} ms`)
    await proxies.database?.set({ mode: 'pass' })
    await healthy()
  })

  it('is slow waits for its memory no longer than it may', async () => {
    const thread = newThread()
    await thread.send(question('My name is Alex.'))
    await proxies.database?.set({ mode: 'delay', ms: 250 })
    const seen = await thread.send(question('What is my name?'))
    await proxies.database?.set({ mode: 'pass' })
    expect([seen.status, seen.headers['x-memory-status']]).toEqual([200, 'unavailable'])
    expect(Number(seen.headers['x-memory-ms'])).toBeLessThan(MEMORY_WAIT_MS + SLACK_MS)
    const stored = await until(
      () => thread.stored(),
      (said) => said.length === 4,
    )
    expect(stored).toEqual(['My name is Alex.', 'Fine.', 'What is my name?', 'Fine.'])
  })
})

describe('a chat while', () => {
  it('the object store refuses goes on, ends in time, and is saved with its file later', async () => {
    const thread = newThread()
    const objects = join(dir, 'objects')
    const { reached, open } = scriptGate('store')
    const bytes = Buffer.concat([picture, Buffer.from('only here')])
    const going = thread.send(question('Keep it', [{ kind: 'image', name: 'p.png', bytes }], { stream: true }), {
      headers: { 'x-script': 'store' },
    })
    await reached
    renameSync(objects, `${objects}-away`)
    writeFileSync(objects, 'no folder')
    const from = performance.now()
    open()
    const seen = await going
    expect(seen.text.endsWith(DONE)).toBe(true)
    const heldMs = Math.round(seen.overAt - from)
    expect(heldMs).toBeLessThan(HELD_MS + SLACK_MS)
    expect(await thread.stored()).toEqual([])
    rmSync(objects)
    renameSync(`${objects}-away`, objects)
    await until(
      () => thread.stored(),
      (said) => said.length === 2,
      30_000,
    )
    const [asked] = await messagesOf(gateway.url, user, `thread-${threads}`)
    const parts = (asked?.content ?? []) as readonly { image?: string }[]
    const path = parts.find(({ image }) => image)?.image ?? ''
    const kept = await fetch(gateway.url + path, { headers: { authorization: `Bearer ${user.key}` } })
    expect(hashOf(new Uint8Array(await kept.arrayBuffer()))).toBe(hashOf(bytes))
    console.log(`store refuses: end held ${heldMs} ms`)
  })

  it.each(['stall', 'refuse'] as const)(
    'the backend %ss has its thread, and leaves out what it cannot search',
    async (mode) => {
      const thread = newThread()
      await thread.send(question('My name is Alex.'))
      await proxies.backend?.set({ mode })
      const seen = await thread.send(question('What is my name?'))
      expect([seen.status, seen.headers['x-memory-status'], seen.headers['x-memory-messages']]).toEqual([
        200,
        'used',
        '2',
      ])
      expect(seen.headers['x-memory-ids']).toBeUndefined()
      expect(seen.ms).toBeLessThan(MEMORY_WAIT_MS + SLACK_MS)
      expect(provider.calls.at(-1)?.body.toString()).toContain('My name is Alex.')
      expect(await thread.stored()).toHaveLength(4)
      console.log(`backend ${mode}: chat of ${seen.ms} ms, memory ${String(seen.headers['x-memory-ms'])} ms`)
    },
  )
})

const HALF = delta('Half an answer')
/** Answers that go wrong, what the client has of each, and how much of it is kept. */
const wrongs: [
  string,
  (response: ServerResponse) => unknown,
  { status: number; ends?: RegExp; stored?: string[] | undefined },
][] = [
  ['resets before its head', (response) => response.socket?.resetAndDestroy(), { status: 502 }],
  [
    'resets within its head',
    (response) => response.socket?.write('HTTP/1.1 200 OK\r\nContent-Ty', () => response.socket?.resetAndDestroy()),
    { status: 502 },
  ],
  ['says no HTTP', (response) => response.socket?.end('<html>not found</html>'), { status: 502 }],
  ['is silent', () => {}, { status: 504 }],
  [
    'resets within an event',
    async (response) => {
      await writeParts(sse(response), [HALF, 'data: {"choi'])
      response.socket?.resetAndDestroy()
    },
    { status: 200, ends: /"error"/, stored: ['Well?', 'Half an answer'] },
  ],
  [
    'resets before the first event is whole',
    async (response) => {
      await writeParts(sse(response), ['data: {"choi'])
      response.socket?.resetAndDestroy()
    },
    { status: 200, ends: /"error"/, stored: [] },
  ],
  [
    'stands still within an event',
    (response) => writeParts(sse(response), [HALF, 'data: {"choi']),
    { status: 200, ends: /"error"/, stored: ['Well?', 'Half an answer'] },
  ],
  [
    'ends without an end',
    (response) => sse(response).end(HALF),
    { status: 200, ends: /Half an answer"}}]}\n\n$/, stored: ['Well?', 'Half an answer'] },
  ],
  [
    'says garbage in place of events',
    (response) => sse(response).end('<html>\n\n\0\xff data: {{{ \n\n'),
    { status: 200, ends: /data: {{{ \n\n$/, stored: undefined },
  ],
  [
    'says less than its length',
    async (response) => {
      const body = completion('Well.')
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length })
      await writeParts(response, [body.slice(0, -9)])
      response.socket?.destroy()
    },
    { status: 200, stored: [] },
  ],
  [
    'says more than its length',
    (response) => {
      const body = completion('Well.')
      const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`
      response.socket?.end(`${head}${body}and more of what nobody asked for`)
    },
    { status: 200, ends: /finish_reason":"stop"}]}$/, stored: ['Well?', 'Well.'] },
  ],
  [
    'names two lengths',
    (response) => response.socket?.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}}'),
    { status: 502 },
  ],
]

describe('a provider that', () => {
  it.each(wrongs)('%s leaves the client with what it is, and the thread whole', async (name, wrong, wanted) => {
    const thread = newThread()
    provider.script(name, wrong as Parameters<StubProvider['script']>[1])
    const body = question('Well?', [], { stream: !name.includes('length') })
    const seen = await thread.send(body, { headers: { 'x-script': name } })
    expect(seen.status).toBe(wanted.status)
    expect(seen.ms).toBeLessThan(MODEL_TIMEOUT_MS + MEMORY_WAIT_MS + SLACK_MS + 1_000)
    if (wanted.status >= 500) expect(JSON.parse(seen.text).error.type).toBe('api_error')
    if (wanted.ends) expect(seen.text).toMatch(wanted.ends)
    if (name === 'says less than its length') expect(seen.isWhole).toBe(false)
    if (wanted.stored?.length)
      expect(
        await until(
          () => thread.stored(),
          (said) => said.length > 0,
        ),
      ).toEqual(wanted.stored)
    await healthy()
    if (wanted.status >= 500 || wanted.stored?.length === 0) expect(await thread.stored()).toEqual([])
  })

  it('goes half-open is given up after its time, and what it had said is kept', async () => {
    const thread = newThread()
    const { reached } = scriptGate('half-open')
    let hasFirst = false
    const going = thread.send(
      { ...question('Well?', [], { stream: true }), model: 'weak/small' },
      { headers: { 'x-script': 'half-open' }, onText: () => void (hasFirst = true) },
    )
    await reached
    await until(async () => hasFirst, Boolean)
    await proxies.model?.set({ mode: 'half-open' })
    const from = performance.now()
    const seen = await going
    expect(seen.overAt - from).toBeLessThan(MODEL_TIMEOUT_MS + SLACK_MS + 1_000)
    expect(seen.text).toContain('"error"')
    expect(
      await until(
        () => thread.stored(),
        (said) => said.length > 0,
      ),
    ).toEqual(['Well?', 'First'])
  })

  it.each(['text/event-stream', 'application/json'])(
    'floods a slow client with 5 GB of %s costs the gateway little memory',
    async (type) => {
      const thread = newThread()
      let sent = 0
      let isOpen = true
      const piece = Buffer.alloc(64 * 1024, 'x')
      provider.script('flood', async (response) => {
        const closed = once(response, 'close').then(() => void (isOpen = false))
        sse(response, type).write(type === 'application/json' ? '{"x":"' : 'data: ')
        for (; sent < 5e9 && isOpen; sent += piece.length) {
          if (!response.write(piece)) await Promise.race([once(response, 'drain'), closed])
        }
        response.end()
      })
      await healthy()
      const before = await residentMiB()
      const taken = await readFlood(64 * 2 ** 20)
      const after = await residentMiB()
      await until(
        async () => isOpen,
        (open) => !open,
        3_000,
      )
      console.log(
        `flood of ${type}: ${sent >> 20} MiB sent, ${taken >> 20} MiB taken, resident ${Math.round(before)} → ${Math.round(after)} MiB`,
      )
      expect(after - before).toBeLessThan(200)
      expect(sent).toBeLessThan(taken + 64 * 2 ** 20)
      await healthy()
      expect(await thread.stored()).toEqual([])
    },
  )
})

/** A chat in the newest thread: takes so much of the answer, stands still for a second, and leaves. Resolves with what it took. */
async function readFlood(bytes: number): Promise<number> {
  const { promise: left, resolve } = Promise.withResolvers<number>()
  const sent: ClientRequest = request(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    agent: false,
    headers: {
      authorization: `Bearer ${user.key}`,
      'content-type': 'application/json',
      'x-script': 'flood',
      'x-thread-id': `thread-${threads}`,
      'x-resource-id': user.id,
    },
  })
  sent.on('error', () => {})
  sent.on('response', (response) => {
    let taken = 0
    response.on('error', () => {})
    response.on('data', (chunk: Buffer) => {
      taken += chunk.length
      if (taken < bytes) return
      response.pause()
      void pause(1_000).then(() => {
        sent.destroy()
        resolve(taken)
      })
    })
  })
  sent.end(JSON.stringify(question('Flood me', [], { stream: true })))
  return left
}

describe('a client that leaves at any byte', () => {
  const words = Array.from({ length: 12 }, (_, index) => `word${index} `)
  const whole = [...words.map(delta), STOP, DONE].join('')

  it('takes the provider with it within a second, and what was said is kept once', async () => {
    const decisions = new Decisions('leavers')
    /** By what was asked first: whether the provider is done with it. */
    const over = new Map<string, boolean>()
    provider.script('leave', async (response, call) => {
      // Before it stands what the other threads said.
      const asked = [...call.body.toString().matchAll(/Leave (\d+)/g)].at(-1)?.[1] ?? ''
      over.set(asked, false)
      response.once('close', () => over.set(asked, true))
      sse(response)
      for (const piece of [...words.map(delta), STOP, DONE]) {
        if (response.destroyed) return
        response.write(piece)
        await pause(8)
      }
      response.end()
    })
    const tried = Array.from({ length: isLong ? 300 : 24 }, (_, index) => ({
      index,
      at: decisions.integer(0, whole.length),
    }))
    let [kept, cut, nothing] = [0, 0, 0]
    for (let from = 0; from < tried.length; from += 8) {
      await Promise.all(
        tried.slice(from, from + 8).map(async ({ index, at }) => {
          const thread = newThread()
          const seen = await thread.send(question(`Leave ${index}.`, [], { stream: true }), {
            headers: { 'x-script': 'leave' },
            onText: (text, sent) => {
              if (text.length >= at) sent.destroy()
            },
          })
          const gone = performance.now()
          await until(async () => over.get(String(index)), Boolean)
          expect(performance.now() - gone).toBeLessThan(1_000)
          const again = await thread.send(question(`Leave ${index}.`, [], { stream: true }), {
            headers: { 'x-script': 'leave' },
          })
          expect(again.text).toBe(whole)
          const said = await thread.stored()
          const all = words.join('').trim()
          expect(said.slice(-2)).toEqual([`Leave ${index}.`, all])
          if (said.length === 2) nothing++
          else {
            expect(said).toHaveLength(4)
            expect(said[0]).toBe(`Leave ${index}.`)
            if (said[1] === all) kept++
            else cut++
            expect(all.startsWith(said[1] ?? '-')).toBe(true)
          }
          // What the client saw to its end is kept whole.
          if (seen.text === whole) expect(said[1]).toBe(all)
        }),
      )
    }
    console.log(`${tried.length} clients left: ${kept} whole, ${cut} cut off, ${nothing} nothing kept, seed ${seed}`)
    expect(cut).toBeGreaterThan(0)
  })
})

const LARGE = isLong ? 16 : 2

it(`${LARGE} chats with 20 MiB each at a time leave nothing in memory`, async () => {
  const own = mkdtempSync(join(dir, 'large-'))
  placeTemplate(own)
  const roomy = await spawnGateway(
    { STORAGE_DIR: own, MODEL_PROVIDERS: JSON.stringify({ local: { base_url: provider.url } }) },
    MEMORY_ARGUMENTS,
  )
  try {
    const people = await Promise.all(Array.from({ length: LARGE }, () => createUser(roomy.url)))
    provider.script('large', async (response) => {
      await pause(1_000)
      response.end(completion('Large.'))
    })
    await chat({ url: roomy.url, key: people[0]?.key ?? '', body: question('Are you well?') })
    const before = await restingMemory(roomy)
    let most = before.residentMiB
    const looking = setInterval(() => void residentMiB(roomy).then((now) => (most = Math.max(most, now))), 20)
    const bodies = people.map((_, index) => {
      const bytes = Buffer.concat([picture, Buffer.alloc(15 * 2 ** 20, index)])
      return Buffer.from(JSON.stringify(question('What is this?', [{ kind: 'image', name: 'p.png', bytes }])))
    })
    const seen = await Promise.all(
      people.map(async (one, index) => {
        const thread = { id: 'large', resource: one.id }
        const body = bodies[index] ?? Buffer.alloc(0)
        return until(
          () => chat({ url: roomy.url, key: one.key, thread, body, headers: { 'x-script': 'large' } }),
          // A client that is still sending may miss the 503, and find its connection closed.
          ({ status }) => status !== 503 && status !== 0,
          120_000,
        )
      }),
    )
    clearInterval(looking)
    expect(seen.map(({ status }) => status)).toEqual(people.map(() => 200))
    for (const one of people) {
      await until(
        () => messagesOf(roomy.url, one, 'large'),
        (said) => said.length === 2,
        60_000,
      )
    }
    const after = await restingMemory(roomy)
    const [alive, resident] = [after.aliveMiB, after.residentMiB].map(Math.round)
    console.log(
      `${LARGE} × 20 MiB: alive ${Math.round(before.aliveMiB)} → ${alive} MiB, resident ${Math.round(before.residentMiB)} → at most ${Math.round(most)} → ${resident} MiB`,
    )
    expect(after.aliveMiB - before.aliveMiB).toBeLessThan(64)
    expect(most - before.residentMiB).toBeLessThan(1_600)
  } finally {
    await roomy.stop('SIGKILL')
  }
})
