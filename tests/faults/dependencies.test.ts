import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { call, until } from '../helpers/client.ts'
import { assertAvailable, deployments } from '../helpers/deployments.ts'
import {
  addJson,
  addMultipart,
  addResource,
  addText,
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

const isLong = process.env.FAULTS_LONG === '1'
const seed = Number(process.env.FAULTS_SEED ?? Math.floor(Math.random() * 1e9))
const random = seeded(seed)
const needs = deployments.find(({ name }) => name === 'PostgreSQL, S3 and EverOS')

/** How long an answer may take, by what has failed; a healthy part's share is in it. */
const BOUND_MS = { broken: 3_000, database: 5_000, store: 11_000, backend: 2 * limits.backendMs + 2_000 }
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

/** What a case leaves to do after its fault. */
interface Tried {
  readonly operation: string
  readonly outcome: Outcome
}

const user = (at: number) => {
  const found = rig.users[at % rig.users.length]
  if (!found) throw new Error('There is no gateway.')
  return found
}

/** One healthy upload of each kind, for reads and deletions to have something. */
async function prepare(at: number) {
  const upload = await addMultipart(user(at), 150_000)
  const resource = await addResource(user(at))
  for (const { outcome } of [upload, resource]) expect(outcome).toMatchObject({ status: expect.toSatisfy(isOk) })
  journal.push(upload)
  return { upload, attachmentId: String(upload.outcome.body.attachments[0].attachment_id), resource }
}
type Prepared = Awaited<ReturnType<typeof prepare>>

/** All operations at once, each at the next gateway. */
async function tryAll(at: number, { upload, attachmentId, resource }: Prepared) {
  let next = at
  const send = (method: string, path: string, body?: unknown) => measured(() => user(next++).send(method, path, body))
  const uploads = [addMultipart(user(next++)), addJson(user(next++)), addResource(user(next++)), addText(user(next++))]
  const others: [string, Promise<Outcome & { sha256?: string }>][] = [
    ['flush', send('POST', '/memories/flush', { session_id: upload.session })],
    ['search', send('POST', '/memories/search', { query: 'note', scope: ['all_user_memory'] })],
    ['list', send('GET', '/resources')],
    ['download', download(user(next++), attachmentId)],
    ['delete', send('DELETE', `/resources/${String(resource.outcome.body.resource_id)}`)],
  ]
  const sent = await Promise.all(uploads)
  const tried: Tried[] = ['multipart', 'json', 'resource', 'text'].map((operation, index) => ({
    operation,
    outcome: (sent[index] as Upload).outcome,
  }))
  for (const [operation, outcome] of others) tried.push({ operation, outcome: await outcome })
  const read = await others.find(([operation]) => operation === 'download')?.[1]
  expect(read?.sha256 ?? upload.sha256, 'a whole download').toBe(upload.sha256)
  return { sent, tried }
}

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
  if (!isHit) return isOk(status) || (operation === 'search' && status === 504)
  if (effect === 'down') return isBusy
  return isBusy || isOk(status) || (operation === 'search' && status === 504)
}

function boundOf(part: Part, fault: Fault): number {
  if (part === 'backend') return BOUND_MS.backend
  if (fault.mode === 'delay') return BOUND_MS.store
  return fault.mode === 'stall' || fault.mode === 'half-open' ? BOUND_MS[part] : BOUND_MS.broken
}

/** /health and /ready of both gateways, as the fault has them. */
async function checkHealth(part: Part, effect: Effect, fault: Fault): Promise<void> {
  for (const { url } of rig.gateways) {
    const health = await measured(() => call(`${url}/health`))
    const ready = await measured(() => call(`${url}/ready`))
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
    await until(
      () => addMultipart(user(at)),
      ({ outcome }) => isAcknowledged(outcome),
      HEALED_MS,
    )
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
  for (const [at, upload] of uploads.entries()) {
    const ids = await visible(rig, upload)
    const { status } = upload.outcome
    if (isAcknowledged(upload.outcome)) expect(ids, `an upload answered with ${status}`).toBeDefined()
    else if (!mayBeInDoubt) expect(ids, `an upload answered with ${status}`).toBeUndefined()
    for (const id of ids ?? []) expect((await download(user(at), id)).sha256).toBe(upload.sha256)
  }
}

async function runCase(part: Part, name: string, effect: Effect, fault: Fault): Promise<void> {
  const at = Math.floor(random() * 2)
  const prepared = await prepare(at)
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
    if (operation === 'under way') expect(isOk(status) || status === 503, what).toBe(true)
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
