import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { call, until } from '../helpers/client.ts'
import { assertAvailable, deployments } from '../helpers/deployments.ts'
import { isLong, seed } from '../helpers/seed.ts'
import {
  addJson,
  addMultipart,
  addResource,
  addText,
  backendMessages,
  download,
  isAcknowledged,
  limits,
  measured,
  type Outcome,
  type Part,
  type Rig,
  startRig,
  type Upload,
  visible,
} from './dependency-rig.ts'
import type { Fault } from './fault-proxy.ts'

const random = seeded(seed)
const needs = deployments.find(({ name }) => name === 'PostgreSQL, S3 and EverOS')

/** How long an answer may take, by what has failed. */
const BOUND_MS = { away: 3_000, database: 5_000, store: 11_000, backend: limits.searchMs + 3_000 }
const HEALED_MS = 5_000
/** /health and /ready give each part two seconds. */
const HEALTH_MS = 3_000

/** `down`: nothing gets through. `worn`: some does, or all, late. */
type Effect = 'down' | 'worn'

const page = (status: string, type: string, body: string) =>
  `HTTP/1.1 ${status}\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`
const html = page('200 OK', 'text/html', '<html><body>Welcome to the hotel.</body></html>')
const garbage = Uint8Array.from({ length: 4_000 }, (_, at) => (at * 167 + 13) % 256)
const s3Error = (status: string, code: string) => page(status, 'application/xml', `<Error><Code>${code}</Code></Error>`)
const everosError = (status: string, code: string) =>
  page(status, 'application/json', `{"error":{"code":"${code}","message":"no"}}`)

const common: [string, Effect, Fault][] = [
  ['refuses', 'down', { mode: 'refuse' }],
  ['accepts and closes', 'down', { mode: 'close' }],
  ['stalls', 'down', { mode: 'stall' }],
  ['leaves connections half-open', 'worn', { mode: 'half-open' }],
  ['resets', 'down', { mode: 'reset' }],
  ['resets in mid-stream', 'worn', { mode: 'reset', afterBytes: 900 }],
  ['cuts in mid-stream', 'worn', { mode: 'cut', afterBytes: 700 }],
  ['is slow', 'worn', { mode: 'delay', ms: 40 }],
  ['answers HTML', 'down', { mode: 'answer', bytes: html }],
  ['answers garbage', 'down', { mode: 'answer', bytes: garbage }],
]
const faults: Record<Part, [string, Effect, Fault][]> = {
  database: common,
  store: [
    ...common,
    ['corrupts', 'worn', { mode: 'corrupt', every: 4_000 }],
    ['answers 500', 'down', { mode: 'answer', bytes: s3Error('500 Internal Server Error', 'InternalError') }],
    ['answers 503 SlowDown', 'down', { mode: 'answer', bytes: s3Error('503 Service Unavailable', 'SlowDown') }],
  ],
  backend: [
    ...common,
    ['corrupts', 'worn', { mode: 'corrupt', every: 40 }],
    ['answers 500', 'down', { mode: 'answer', bytes: everosError('500 Internal Server Error', 'INTERNAL') }],
    ['answers 429', 'down', { mode: 'answer', bytes: everosError('429 Too Many Requests', 'QUEUE_SATURATED') }],
  ],
}

let rig: Rig
/** Every upload of all cases. */
const journal: Upload[] = []
const report: string[] = []

beforeAll(async () => {
  if (needs?.missing) return
  console.log(`FAULTS_SEED=${seed}`)
  rig = await startRig()
}, 60_000)
afterAll(async () => {
  console.log(report.join('\n'))
  await rig?.close()
})

afterEach(async () => {
  if (!rig) return
  for (const proxy of Object.values(rig.proxies)) await proxy.set({ mode: 'pass' })
  for (const { log, url } of rig.gateways) {
    const { status } = await measured(() => call(`${url}/health`))
    expect(status, log.filter((line) => !line.startsWith('{')).join('\n')).toBe(200)
  }
})

interface Tried {
  readonly operation: string
  readonly outcome: Outcome
}

const user = (at: number) => {
  const found = rig.users[at % rig.users.length]
  if (!found) throw new Error('There is no gateway.')
  return found
}

/** Healthy uploads, for reads and deletions to have something; in the short form the same for all cases. */
async function prepare(at: number) {
  const upload = await addMultipart(user(at), 150_000)
  const resource = await addResource(user(at))
  for (const { outcome } of [upload, resource]) expect(outcome).toMatchObject({ status: expect.toSatisfy(isOk) })
  journal.push(upload)
  return { upload, attachmentId: String(upload.outcome.body.attachments[0].attachment_id), resource }
}
type Prepared = Awaited<ReturnType<typeof prepare>>
let shared: Prepared | undefined

/** All operations at once, each at the next gateway; in the short form, the most telling. */
async function tryAll(at: number, { upload, attachmentId, resource }: Prepared) {
  let next = at
  const send = (method: string, path: string, body?: unknown) => measured(() => user(next++).send(method, path, body))
  const uploads: [string, Promise<Upload>][] = [['multipart', addMultipart(user(next++))]]
  const reading = download(user(next++), attachmentId)
  const others: [string, Promise<Outcome>][] = [
    ['download', reading],
    ['search', send('POST', '/memories/search', { query: 'note', scope: ['all_user_memory'] })],
  ]
  if (isLong) {
    uploads.push(
      ['json', addJson(user(next++))],
      ['resource', addResource(user(next++))],
      ['text', addText(user(next++))],
    )
    others.push(['flush', send('POST', '/memories/flush', { session_id: upload.session })])
    others.push(['list', send('GET', '/resources')])
    deleted.add(resource.session)
    others.push(['delete', send('DELETE', `/resources/${String(resource.outcome.body.resource_id)}`)])
  }
  const sent = await Promise.all(uploads.map(([, sending]) => sending))
  const tried: Tried[] = sent.map(({ outcome }, index) => ({ operation: uploads[index]?.[0] ?? '', outcome }))
  for (const [operation, outcome] of others) tried.push({ operation, outcome: await outcome })
  expect((await reading).sha256 ?? upload.sha256, 'a whole download').toBe(upload.sha256)
  return { sent, tried }
}

const deleted = new Set<string>()
const isDeleted = (session: string) => deleted.has(session)

const isOk = (status: number) => status >= 200 && status < 300
const isFile = (operation: string) => ['multipart', 'json', 'resource', 'download'].includes(operation)

/** The statuses that an operation may end with. A download may also break off: 0. */
function mayAnswer(part: Part, effect: Effect, operation: string, status: number): boolean {
  const isBusy = status === 503 || (status === 0 && operation === 'download')
  if (part === 'backend') {
    if (operation !== 'search') return isOk(status)
    return status === 502 || status === 504 || (effect === 'worn' && isOk(status))
  }
  const isHit = part === 'database' || isFile(operation)
  // What was stored cannot be read back whole to be relayed: the caller is told, and nothing is kept.
  if (part === 'store' && effect === 'worn' && isFile(operation) && status === 502) return true
  if (!isHit) return isOk(status) || (operation === 'search' && status === 504)
  if (effect === 'down') return isBusy
  return isBusy || isOk(status) || (operation === 'search' && status === 504)
}

function boundOf(part: Part, fault: Fault): number {
  return part !== 'backend' && (fault.mode === 'refuse' || fault.mode === 'close') ? BOUND_MS.away : BOUND_MS[part]
}

/** /health and /ready of both gateways, as the fault has them. */
async function checkHealth(part: Part, effect: Effect, fault: Fault): Promise<void> {
  const asked = rig.gateways.map(({ url }) =>
    Promise.all(['/health', '/ready'].map((path) => measured(() => call(url + path)))),
  )
  for (const [health, ready] of await Promise.all(asked)) {
    if (!health || !ready) throw new Error('Both were asked.')
    expect(health.status).toBe(200)
    for (const { ms } of [health, ready]) expect(ms).toBeLessThan(HEALTH_MS)
    // To a HEAD of the bucket an HTML page is an answer like any other.
    if (effect === 'worn' || (part === 'store' && fault.mode === 'answer' && fault.bytes === html)) continue
    expect(health.body.status).toBe('degraded')
    expect(health.body[part === 'store' ? 'object_store' : part].status).toBe('unavailable')
    expect(ready.status).toBe(part === 'backend' ? 200 : 503)
  }
}

/** Waits until both gateways take uploads again; ms. */
async function heal(part: Part): Promise<number> {
  const start = performance.now()
  await rig.proxies[part].set({ mode: 'pass' })
  for (const at of [0, 1]) {
    const upload = await until(
      () => addMultipart(user(at), 1_000),
      ({ outcome }) => isAcknowledged(outcome),
      HEALED_MS,
    )
    journal.push(upload)
    await until(
      () => measured(() => call(`${user(at).base}/ready`)),
      ({ status }) => status === 200,
      HEALED_MS,
    )
  }
  return Math.round(performance.now() - start)
}

/** What was acknowledged is there and whole; what was refused is not, unless the answer to its commit may have been lost. */
async function checkKept(uploads: readonly Upload[], mayBeInDoubt: boolean): Promise<void> {
  const waiting = [...uploads.entries()]
  const worker = async () => {
    for (let next = waiting.pop(); next; next = waiting.pop()) await checkUpload(next[1], next[0], mayBeInDoubt)
  }
  await Promise.all([worker(), worker(), worker(), worker()])
}

async function checkUpload(upload: Upload, at: number, mayBeInDoubt: boolean): Promise<void> {
  const ids = await visible(rig, upload)
  const { status } = upload.outcome
  if (isAcknowledged(upload.outcome)) expect(ids, `an upload answered with ${status}`).toBeDefined()
  else if (!mayBeInDoubt) expect(ids, `an upload answered with ${status}`).toBeUndefined()
  for (const id of ids ?? []) expect((await download(user(at), id)).sha256).toBe(upload.sha256)
}

async function runCase(part: Part, name: string, effect: Effect, fault: Fault): Promise<void> {
  const at = Math.floor(random() * 2)
  const prepared = !isLong && shared ? shared : await prepare(at)
  shared = prepared
  // Some are under way when the fault begins.
  const underWay = [addMultipart(user(0), 400_000), addResource(user(1))]
  await new Promise((resolve) => setTimeout(resolve, random() * 120))
  await rig.proxies[part].set(fault)
  const { sent, tried } = await tryAll(at, prepared)
  await checkHealth(part, effect, fault)
  const early = await Promise.all(underWay)
  const healedMs = await heal(part)
  const bound = boundOf(part, fault)
  const slowest = Math.max(...tried.map(({ outcome }) => outcome.ms))
  const figures = tried.map(({ operation, outcome }) => `${operation} ${outcome.status} ${outcome.ms} ms`).join(', ')
  report.push(`| ${part} ${name} | ${slowest} ms | healed ${healedMs} ms | ${figures} |`)
  for (const { operation, outcome } of [
    ...tried,
    ...early.map(({ outcome }) => ({ operation: 'under way', outcome })),
  ]) {
    const { status, ms, retryAfter } = outcome
    const what = `${operation} answered with ${status} after ${ms} ms: ${JSON.stringify(outcome.body)}`
    if (operation === 'under way') expect(isOk(status) || status === 503 || status === 502, what).toBe(true)
    else expect(mayAnswer(part, effect, operation, status), what).toBe(true)
    if (status === 503) expect(retryAfter, what).toMatch(/^\d+$/)
    expect(ms, what).toBeLessThan(bound)
  }
  await checkKept(sent, part === 'database' && effect === 'worn')
  await checkKept(early, part === 'database')
  journal.push(...sent, ...early)
}

describe.skipIf(needs?.missing)('two gateways on services that fail', () => {
  for (const part of ['database', 'store', 'backend'] as const) {
    it.each(faults[part])(`the ${part} %s`, (name, effect, fault) => runCase(part, name, effect, fault))
  }
})

const times = (count: number) => Array.from({ length: count }, (_, index) => index)

describe.skipIf(needs?.missing)('what was sent when the database broke off', () => {
  it('is there, and relayed, if only the answer to its commit was lost', async () => {
    await rig.proxies.database.set({ mode: 'reset', at: 'COMMIT' })
    const texts = await Promise.all([addText(user(0)), addText(user(1))])
    const files = await Promise.all([addMultipart(user(0)), addMultipart(user(1))])
    await heal('database')
    for (const { outcome } of [...texts, ...files])
      expect(outcome).toMatchObject({ status: 503, retryAfter: expect.any(String) })
    // A file has two transactions; the first is that of its intent.
    for (const upload of texts) expect(await visible(rig, upload)).toEqual([])
    for (const upload of files) expect(await visible(rig, upload)).toBeUndefined()
    journal.push(...texts.map((text) => ({ ...text, outcome: { ...text.outcome, status: 202 } })))
  })

  const cuts = isLong ? 200 : 8
  it(`is there whole or not at all, cut at ${cuts} random points`, async () => {
    const uploads: Upload[] = []
    for (const at of times(cuts)) {
      const from = random() < 0.5 ? 'client' : 'server'
      await rig.proxies.database.set({ mode: 'reset', from, afterBytes: Math.floor(random() * 5_000) })
      uploads.push(await addMultipart(user(at)))
      await rig.proxies.database.set({ mode: 'pass' })
    }
    await heal('database')
    await checkKept(uploads, true)
    const taken = uploads.filter(({ outcome }) => isAcknowledged(outcome))
    report.push(`| ${cuts} cuts in uploads' database connections | ${taken.length} acknowledged | 0 lost, 0 in part |`)
    for (const { outcome } of uploads) expect(isOk(outcome.status) || outcome.status === 503).toBe(true)
    journal.push(...taken)
  })
})

const reads = isLong ? 1_000 : 20
it.skipIf(needs?.missing)(`none of ${reads} reads of a store that flips bits is whole and wrong`, async () => {
  const upload = await addMultipart(user(0), 60_000)
  const id = String(upload.outcome.body.attachments[0].attachment_id)
  let broken = 0
  for (const at of times(reads)) {
    await rig.proxies.store.set({ mode: 'corrupt', every: 2_000 + Math.floor(random() * 118_000) })
    const { sha256, status } = await download(user(at), id)
    if (status === 200) expect(sha256).toBe(upload.sha256)
    else broken++
  }
  await rig.proxies.store.set({ mode: 'pass' })
  report.push(
    `| ${reads} reads of a store that flips bits | ${broken} broken off or refused | 0 wrong bytes delivered as whole |`,
  )
  expect(broken).toBeGreaterThan(0)
})

it.skipIf(needs?.missing)('how long uploads take with the backend broken and healthy', async () => {
  const states: [string, Fault][] = [
    ['healthy', { mode: 'pass' }],
    ...faults.backend
      .filter(([name]) => isLong || /refuses|stalls|HTML/.test(name))
      .map(([name, , fault]): [string, Fault] => [name, fault]),
  ]
  for (const [name, fault] of states) {
    await rig.proxies.backend.set(fault)
    const uploads = []
    for (const at of times(isLong ? 30 : 3)) uploads.push(await addMultipart(user(at)))
    const waits = uploads.map(({ outcome }) => outcome.ms).toSorted((a, b) => a - b)
    report.push(
      `| upload, backend ${name} | median ${waits[Math.floor(waits.length / 2)]} ms | most ${waits.at(-1)} ms |`,
    )
    for (const { outcome } of uploads) expect(isOk(outcome.status)).toBe(true)
    journal.push(...uploads)
  }
  await rig.proxies.backend.set({ mode: 'pass' })
})

it.skipIf(needs?.missing)('in the end all that was acknowledged is whole, and at the backend once', async () => {
  for (const proxy of Object.values(rig.proxies)) await proxy.set({ mode: 'pass' })
  await until(
    async () => {
      // As if the minutes had passed for which a lost answer is left alone, and those between two attempts.
      await rig.sql`update batches set settles_at = settles_at - interval '10 minutes', updated_at = updated_at - interval '10 minutes'
        where state in ('relaying', 'unknown')`
      await rig.sql`update pgboss.job set start_after = now() where state in ('created', 'retry') and name = 'relay-session'`
      await new Promise((resolve) => setTimeout(resolve, 3_000))
      return rig.sql`select state, reason from batches where action = 'add' and state in ('stored', 'relaying', 'unknown')`
    },
    (open) => open.length === 0,
    isLong ? 300_000 : 120_000,
  )
  const acknowledged = journal.filter(({ outcome, session }) => isAcknowledged(outcome) && !isDeleted(session))
  await checkKept(acknowledged, false)
  const atBackend = await backendMessages(rig)
  for (const { session, times: held, wanted } of atBackend) expect(held, session).toEqual(wanted)
  const states = await rig.sql`select state, count(*)::int as count from batches group by state`
  report.push(
    `| in the end | ${acknowledged.length} acknowledged uploads whole | ${atBackend.length} sessions looked up at the backend, each message there once | ${JSON.stringify([...states])} |`,
  )
  expect(await rig.sql`select action, reason from batches where state in ('failed', 'rejected')`).toHaveLength(0)
  expect(states.filter(({ state }) => state !== 'relayed' && state !== 'stored' && state !== 'receiving')).toEqual([])
})

it.runIf(needs?.missing && process.env.REQUIRE_SERVICES === '1')('needs its services', () => {
  if (needs) assertAvailable(needs)
})

/** Mulberry32. */
function seeded(start: number): () => number {
  let state = start
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
