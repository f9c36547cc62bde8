import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createUser, type TestUser, until } from '../helpers/client.ts'
import { deployments } from '../helpers/deployments.ts'
import { boundary, fieldParts, multipartBody, multipartType } from '../helpers/multipart.ts'
import { type GatewayProcess, spawnGateway } from '../helpers/process.ts'
import { isLong } from '../helpers/seed.ts'

const SLOW_CLIENTS = isLong ? 1_000 : 200
const ROUNDS = isLong ? 600 : 150
const HEADERS_MS = 2_000
const REQUEST_MS = 4_000
/** How often the gateway looks for those who are too slow; and a busy machine's delay. */
const CHECK_MS = 5_000
const SLACK_MS = 3_000
/** A reader is looked at after each minute, and the first minute's bytes are those that fit into the buffers between. */
const READER_MS = 120_000
/** What is faster than this, on a machine that does other work too, is as good as no delay. */
const FLOOR_MS = 50
const PLACES = 8

let dir: string
let drop: () => Promise<void>
let gateway: GatewayProcess
const agent = new Agent({ keepAlive: true, maxSockets: 2_000 })

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'gateway-overload-'))
  const deployment = deployments.findLast(({ name, missing }) => !missing && !name.includes('S3')) ?? deployments[0]!
  const prepared = await deployment.prepare(dir)
  drop = prepared.drop
  gateway = await spawnGateway({
    HEADERS_TIMEOUT_MS: String(HEADERS_MS),
    REQUEST_TIMEOUT_MS: String(REQUEST_MS),
    MAX_UPLOADS: String(PLACES),
    RELAY_WAIT_MS: '1',
    ...prepared.settings,
  })
})
afterAll(async () => {
  agent.destroy()
  await gateway?.stop()
  await drop?.()
  rmSync(dir, { recursive: true, force: true })
})

interface Timed {
  readonly status: number
  readonly retryAfter: string | undefined
  readonly ms: number
}

function send(user: TestUser, path: string, body?: Buffer, type = 'application/json'): Promise<Timed> {
  const start = performance.now()
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${user.key}`,
      ...(body && { 'content-type': type, 'content-length': body.length }),
    }
    const sent = request(gateway.url + path, { agent, method: body ? 'POST' : 'GET', headers }, (response) => {
      response.resume().once('end', () => {
        resolve({
          status: response.statusCode ?? 0,
          retryAfter: response.headers['retry-after'],
          ms: performance.now() - start,
        })
      })
      // Refused before its body was read: the rest of it is not worth sending.
      if ((response.statusCode ?? 0) >= 400) sent.destroy()
    })
    sent.once('error', reject)
    sent.end(body)
  })
}

const json = (value: unknown) => Buffer.from(JSON.stringify(value))
const said = { role: 'user', content: 'The harbour of Bergen is full of ships.' }

/** What a user does all day, in turn. */
const everyday: readonly ((user: TestUser) => Promise<Timed>)[] = [
  (user) => send(user, '/memories/add', json({ session_id: 'chat:1', messages: [said] })),
  (user) => send(user, '/memories/search', json({ query: 'harbour ships' })),
  (user) => send(user, '/sessions'),
]

/** Of few times the 99th percentile is the noise of the machine. */
const PERCENTILE = isLong ? 99 : 95
const tail = (times: readonly number[]) =>
  times.toSorted((one, other) => one - other)[Math.ceil((times.length * PERCENTILE) / 100) - 1] ?? 0

/** The times of a healthy user's requests, one after the other. */
async function probe(user: TestUser, rounds = ROUNDS): Promise<number[]> {
  const times: number[] = []
  for (let round = 0; round < rounds; round++) {
    const { status, ms } = await everyday[round % everyday.length]!(user)
    expect(status).toBeLessThan(300)
    times.push(ms)
  }
  return times
}

async function createUsers(count: number): Promise<TestUser[]> {
  const users: TestUser[] = []
  for (let made = 0; made < count; made++) {
    const user = await createUser(gateway.url)
    await user.addMessage('chat:1', 'The harbour.')
    users.push(user)
  }
  return users
}

const openFiles = () => readdirSync(`/proc/${gateway.pid}/fd`).length
const upload = (bytes: number) =>
  multipartBody([
    ...fieldParts({
      session_id: 'chat:1',
      messages: JSON.stringify([{ role: 'user', content: [{ type: 'doc', upload_id: 'a' }] }]),
    }),
    { name: 'a', fileName: 'a.txt', body: 'The harbour is full of ships. '.repeat(bytes / 30) },
  ])

interface SlowClient {
  readonly limitMs: number
  /** From its connection to its end; undefined while it is open. */
  lifeMs: number | undefined
}

/** Connects, sends `start`, then one byte each half second, and reads nothing if it is a reader. */
function slow(start: string, options: { limitMs: number; isReader?: boolean }): SlowClient {
  const { hostname, port } = new URL(gateway.url)
  const client: SlowClient = { limitMs: options.limitMs, lifeMs: undefined }
  const began = performance.now()
  const socket: Socket = connect({ host: hostname, port: Number(port) }, () => socket.write(start))
  if (options.isReader) socket.pause()
  else socket.resume()
  const drip = options.isReader ? undefined : setInterval(() => socket.write('a'), 500)
  // A paused socket does not see its end: what is written to it does.
  const look = options.isReader ? setInterval(() => socket.write('\r\n'), 1_000) : undefined
  socket.on('error', () => {})
  socket.once('close', () => {
    clearInterval(drip)
    clearInterval(look)
    client.lifeMs = performance.now() - began
  })
  return client
}

/** They come one after the other, in a few seconds; the readers last, each of whom has the gateway read what the buffers between hold. */
async function slowClients(users: readonly TestUser[], attachment: string): Promise<SlowClient[]> {
  const head = (line: string, user: TestUser, more: string) =>
    `${line} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${user.key}\r\n${more}`
  const kinds: ((user: TestUser) => SlowClient)[] = [
    () => slow('GET /health HTTP/1.1\r\nHost: a\r\nX-Slow: ', { limitMs: HEADERS_MS }),
    (user) => {
      const more = `Content-Type: ${multipartType}\r\nContent-Length: 100000\r\n\r\n--${boundary}\r\n`
      return slow(head('POST /memories/add/multipart', user, more), { limitMs: REQUEST_MS })
    },
    (user) => {
      const more = 'Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{'
      return slow(head('POST /memories/search', user, more), { limitMs: REQUEST_MS })
    },
    () => slow('', { limitMs: HEADERS_MS }),
  ]
  const read = (user: TestUser) => {
    const line = `GET /attachments/${attachment}/content`
    return slow(head(line, users[0] ?? user, '\r\n'), { limitMs: READER_MS, isReader: true })
  }
  const readers = isLong ? Array.from({ length: SLOW_CLIENTS / 25 }, () => read) : []
  const others = Array.from({ length: SLOW_CLIENTS - readers.length }, (_, at) => kinds[at % kinds.length]!)
  const clients: SlowClient[] = []
  for (const [at, open] of [...others, ...readers].entries()) {
    clients.push(open(users[at % users.length]!))
    if (at % 20 === 0) await sleep(50)
  }
  return clients
}

describe(`${SLOW_CLIENTS} slow clients`, () => {
  it('do not slow a healthy one, are closed in time, and leave nothing open', { retry: 1 }, async () => {
    const [healthy, ...others] = await createUsers(9)
    const body = upload(24 * 1024 * 1024)
    const big = isLong
      ? await others[0]!.upload(
          '/memories/add/multipart',
          {
            session_id: 'chat:1',
            messages: JSON.stringify([{ role: 'user', content: [{ type: 'doc', upload_id: 'a' }] }]),
          },
          [{ field: 'a', name: 'a.txt', bytes: body.subarray(1_000) }],
        )
      : undefined
    await probe(healthy!)
    const filesBefore = openFiles()
    const before = await probe(healthy!)
    const opening = slowClients(others, big?.body.attachments[0].attachment_id ?? '')
    const during = await probe(healthy!)
    const clients = await opening
    const stillOpen = clients.filter(({ lifeMs }) => lifeMs === undefined).length
    const longest = Math.max(...clients.map(({ limitMs }) => limitMs)) + CHECK_MS + SLACK_MS
    await until(
      () => Promise.resolve(clients.filter(({ lifeMs }) => lifeMs === undefined).length),
      (open) => open === 0,
      longest + 2 * SLACK_MS,
    )
    const after = await probe(healthy!)
    const calm = Math.max(tail(before), tail(after))
    const late = clients.filter(({ lifeMs, limitMs }) => (lifeMs ?? Infinity) > limitMs + CHECK_MS + SLACK_MS)
    console.log(
      `slow clients: ${SLOW_CLIENTS}, ${stillOpen} open to the end of the probe; p${PERCENTILE} of a healthy one ${tail(before).toFixed(0)} ms, ` +
        `beside them ${tail(during).toFixed(0)} ms, after ${tail(after).toFixed(0)} ms; open files ${filesBefore} → ${openFiles()}; ` +
        `longest life ${Math.round(Math.max(...clients.map(({ lifeMs }) => lifeMs ?? 0)))} ms`,
    )
    expect(tail(during)).toBeLessThanOrEqual(2 * Math.max(calm, FLOOR_MS))
    expect(late).toEqual([])
    await until(
      () => Promise.resolve(openFiles()),
      (files) => files <= filesBefore + 8,
    )
  })
})

describe('more uploads than there are places', () => {
  const body = upload(256 * 1024)
  const store = (user: TestUser) => send(user, '/memories/add/multipart', body, multipartType)

  /** So many clients, each with one upload after the other for a while; who is refused waits a quarter of a second. */
  async function load(users: readonly TestUser[], clients: number, each: number): Promise<Timed[]> {
    const answers: Timed[] = []
    let left = each * clients
    const work = async (user: TestUser) => {
      while (left-- > 0) {
        const answer = await store(user)
        answers.push(answer)
        if (answer.status >= 400) await sleep(250)
      }
    }
    await Promise.all(Array.from({ length: clients }, (_, at) => work(users[at % users.length]!)))
    return answers
  }

  it('are refused at once, and the others are served as ever', { retry: 2 }, async () => {
    const users = await createUsers(10)
    const each = isLong ? 40 : 8
    await load(users, PLACES, 2)
    const calm = await load(users, PLACES, each)
    const crowd = await load(users, 5 * PLACES, each)
    const again = await load(users, PLACES, each)
    const times = (answers: readonly Timed[], isTaken: boolean) =>
      answers.filter(({ status }) => status < 300 === isTaken).map(({ ms }) => ms)
    const usual = Math.max(tail(times(calm, true)), tail(times(again, true)))
    const [taken, refused] = [times(crowd, true), times(crowd, false)]
    console.log(
      `overload: ${5 * PLACES} clients for ${PLACES} places, ${taken.length} taken, ${refused.length} refused; p${PERCENTILE} without overload ${tail(times(calm, true)).toFixed(0)} ms, ` +
        `taken ${tail(taken).toFixed(0)} ms, refused ${tail(refused).toFixed(0)} ms, afterwards ${tail(times(again, true)).toFixed(0)} ms`,
    )
    expect([...calm, ...again].filter(({ status }) => status >= 300)).toEqual([])
    for (const { status, retryAfter } of crowd.filter(({ status }) => status >= 300)) {
      expect([429, 503]).toContain(status)
      expect(Number(retryAfter)).toBeGreaterThan(0)
    }
    expect(refused.length).toBeGreaterThan(0)
    expect(taken.length).toBeGreaterThan(0)
    expect(tail(taken)).toBeLessThanOrEqual(2 * Math.max(usual, FLOOR_MS))
    expect(tail(refused)).toBeLessThanOrEqual(2 * Math.max(usual, FLOOR_MS))
  })
})

describe('a user at their limits', () => {
  it.each([
    ['4 uploads', 4, 2, (user: TestUser) => send(user, '/memories/add/multipart', upload(256 * 1024), multipartType)],
    ['64 small adds', 64, 2, everyday[0]!],
    // Those four that are at work keep the processor busy on their own.
    ['64 searches', 64, 4, everyday[1]!],
  ])('with %s at once leaves the others what they had', { retry: 2 }, async (what, clients, times, act) => {
    const [busy, healthy] = await createUsers(2)
    await probe(healthy!, 30)
    const calm: number[] = []
    const beside: number[] = []
    for (let turn = 0; turn < 3; turn++) {
      calm.push(...(await probe(healthy!, Math.ceil(ROUNDS / 3))))
      let isOn = true
      const work = Array.from({ length: clients }, async () => {
        while (isOn) expect([200, 202, 429]).toContain((await act(busy!)).status)
      })
      beside.push(...(await probe(healthy!, Math.ceil(ROUNDS / 3))))
      isOn = false
      await Promise.all(work)
    }
    const median = (list: readonly number[]) => list.toSorted((one, other) => one - other)[list.length >> 1] ?? 0
    console.log(
      `one user with ${what}: another's median ${median(calm).toFixed(0)} → ${median(beside).toFixed(0)} ms, p${PERCENTILE} ${tail(calm).toFixed(0)} → ${tail(beside).toFixed(0)} ms`,
    )
    expect(tail(beside)).toBeLessThanOrEqual(times * Math.max(tail(calm), FLOOR_MS))
  })
})
