import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { MEMORY_ARGUMENTS, restingMemory } from '../helpers/alive-memory.ts'
import { createUser, type TestUser } from '../helpers/client.ts'
import { deployments } from '../helpers/deployments.ts'
import { type ApiDocument, readApiDocument } from '../helpers/openapi-check.ts'
import { type GatewayProcess, spawnGateway } from '../helpers/process.ts'
import { isLong, seed } from '../helpers/seed.ts'
import { type Outcome, RawClient } from './fuzz/client.ts'
import { Random, seedOf } from './fuzz/random.ts'
import { draftOf, type Known, makers, mutationsOf } from './fuzz/requests.ts'
import { type Wire, wireOf } from './fuzz/wire.ts'

const COUNT = Number(process.env.FAULTS_FUZZ ?? (isLong ? 100_000 : 3_000))
/** Only this case, of the campaign with that seed. */
const ONLY = process.env.FAULTS_FUZZ_ONLY
const CONNECTIONS = 12
/** An answer that takes longer is asked for again by itself: the machine may have been busy. One that never comes is a hang. */
const LATE_MS = 2_000
const HANG_MS = 20_000
const FAULTS_DIR = 'node_modules/.cache/memory-gateway/fuzz'
/** What may stay alive after the later requests: a hundred-odd bytes of each, besides caches and what is loaded at its first use. */
const ALIVE_BYTES = 4 * 2 ** 20
const ALIVE_BYTES_EACH = 128
/** The collector sizes its heap by what went through it, so this says little; it bounds what is outside the heap. */
const RESIDENT_MIB = 128
/** What Node answers by itself to what is no HTTP. */
const BY_NODE = new Set([400, 408, 413, 414, 417, 431, 501, 505])

let dir: string
let gateway: GatewayProcess
let api: ApiDocument
let drop: () => Promise<void>

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'gateway-fuzz-'))
  const deployment = deployments.findLast(({ name, missing }) => !missing && !name.includes('S3')) ?? deployments[0]!
  const prepared = await deployment.prepare(dir)
  drop = prepared.drop
  gateway = await spawnGateway({ RELAY_WAIT_MS: '1', ...prepared.settings }, MEMORY_ARGUMENTS)
  api = await readApiDocument(gateway.url)
})
afterAll(async () => {
  await gateway?.stop()
  await drop?.()
  rmSync(dir, { recursive: true, force: true })
})

const routes = Object.keys(makers)
const weighted = routes.flatMap((route) =>
  Array.from(
    { length: route.startsWith('GET') ? 1 : route.includes('multipart') || route === 'POST /resources' ? 8 : 3 },
    () => route,
  ),
)

/** The n-th case, without the mutations that are left out. */
function build(
  number: number,
  known: Known,
  without: ReadonlySet<number>,
): { route: string; wire: Wire; mutations: number } {
  const random = new Random(seedOf(seed, number))
  const draft = draftOf(random.of(weighted), known, random)
  const count = random.below(4)
  for (let index = 0; index < count; index++) {
    const own = new Random(random.below(2 ** 32))
    const mutate = random.of(mutationsOf(draft))
    if (!without.has(index)) mutate(draft, own)
  }
  return { route: draft.route, wire: wireOf(draft, new Random(random.below(2 ** 32))), mutations: count }
}

/** Why the outcome is not one that the gateway may give; undefined if it is. */
function faultOf(route: string, wire: Wire, outcome: Outcome): string | undefined {
  if (outcome === 'hung') return `no answer within ${HANG_MS} ms`
  if (outcome === 'closed') return wire.framing === 'sound' ? 'closed without an answer' : undefined
  const { answer } = outcome
  if (answer.status === 503 && answer.headers.get('retry-after') !== null) return undefined
  if (answer.status >= 500 && !(BY_NODE.has(answer.status) && wire.framing === 'bent'))
    return `answered ${answer.status}`
  if (wire.framing === 'bent') return undefined
  // A changed path may lead nowhere.
  if (answer.status === 404 && answer.body?.error?.message?.startsWith('There is no such route')) return undefined
  if (answer.status === 431) return undefined
  try {
    api.check(route, answer)
    return undefined
  } catch (error) {
    return String(error)
  }
}

async function createKnown(): Promise<Known> {
  const user = await createUser(gateway.url)
  const session = 'chat:fuzz'
  const bytes = Buffer.from('The harbour.')
  const added = await user.addMessage(session, 'Hello', [{ field: 'a', kind: 'doc', name: 'a.txt', bytes }])
  const resource = await user.addResource({ name: 'a.txt', bytes })
  const key = await user.post(`/users/${user.id}/keys`)
  return {
    base: new URL(gateway.url),
    user: user.id,
    secret: user.key,
    // As the first start prints it.
    admin: gateway.log.find((line) => line.trim().startsWith('mga_'))?.trim() ?? '',
    session,
    resource: resource.body.resource_id,
    attachment: added.body.attachments[0].attachment_id,
    key: key.body.key_id,
  }
}

/** What was made can be read, changed and removed by later requests. */
function learn(known: Known, outcome: Outcome): void {
  if (typeof outcome === 'string' || outcome.answer.status >= 300) return
  const { body } = outcome.answer
  if (body?.resource_id) known.resource = body.resource_id
  if (body?.key_id && body.user_key) known.key = body.key_id
  if (body?.attachments?.[0]) known.attachment = body.attachments[0].attachment_id
}

const counts = new Map<string, number>()
const count = (name: string) => counts.set(name, (counts.get(name) ?? 0) + 1)

async function run(client: RawClient, known: Known, number: number, without: ReadonlySet<number> = new Set()) {
  const { route, wire, mutations } = build(number, known, without)
  const isLast = wire.framing === 'bent'
  const began = performance.now()
  const outcome = await client.exchange(wire.bytes, { isLast, isHead: false, timeoutMs: HANG_MS })
  const isLate = performance.now() - began > LATE_MS
  return { route, wire, mutations, outcome, isLate, fault: faultOf(route, wire, outcome) }
}

/** Writes the failing request, with as few of its mutations as it fails with. */
async function report(number: number, known: Known): Promise<string> {
  const client = new RawClient(known.base)
  const without = new Set<number>()
  let smallest = await run(client, known, number)
  for (let index = 0; index < smallest.mutations; index++) {
    const tried = await run(client, known, number, new Set([...without, index]))
    if (!tried.fault) continue
    without.add(index)
    smallest = tried
  }
  client.close()
  mkdirSync(FAULTS_DIR, { recursive: true })
  const path = join(FAULTS_DIR, `${seed}-${number}.http`)
  writeFileSync(path, smallest.wire.bytes)
  return `${path}; alone: ${smallest.fault ?? 'no fault'}; mutations left out: ${[...without].join() || 'none'}`
}

async function work(numbers: Iterator<number>, faults: string[], late: number[]): Promise<void> {
  const known = await createKnown()
  const client = new RawClient(known.base)
  for (let next = numbers.next(); !next.done && faults.length < 10; next = numbers.next()) {
    const { route, wire, outcome, isLate, fault } = await run(client, known, next.value)
    if (isLate) late.push(next.value)
    learn(known, outcome)
    count(typeof outcome === 'string' ? outcome : String(outcome.answer.status))
    count(wire.framing)
    if (fault)
      faults.push(`case ${next.value}, ${route}, ${wire.framing}: ${fault}\n    ${await report(next.value, known)}`)
  }
  client.close()
}

async function isAlwaysLate(number: number): Promise<boolean> {
  const known = await createKnown()
  const client = new RawClient(known.base)
  let isLate = true
  for (let attempt = 0; attempt < 3 && isLate; attempt++) isLate = (await run(client, known, number)).isLate
  client.close()
  return isLate
}

async function medianMs(user: TestUser): Promise<number> {
  const times: number[] = []
  for (let sent = 0; sent < 30; sent++) {
    const start = performance.now()
    expect((await user.get('/sessions')).status).toBe(200)
    times.push(performance.now() - start)
  }
  return times.toSorted((one, other) => one - other)[15] ?? 0
}

/** Of the gateway, which has nothing to do. */
async function stateOf(user: TestUser) {
  return {
    ...(await restingMemory(gateway)),
    ms: await medianMs(user),
    files: readdirSync(`/proc/${gateway.pid}/fd`).length,
  }
}

it(`${COUNT} hostile requests get what the API declares, and leave the gateway as it was`, {
  timeout: 3_600_000,
}, async () => {
  const user = await createUser(gateway.url)
  const faults: string[] = []
  const late: number[] = []
  const from = Number(ONLY ?? 0)
  const warm = ONLY === undefined ? Math.min((COUNT * 2) / 3, 5_000) : 0
  const later = ONLY === undefined ? COUNT - Math.floor(warm) : 1
  const range = function* (start: number, end: number) {
    for (let number = start; number < end; number++) yield number
  }
  const campaign = async (start: number, end: number) => {
    const numbers = range(start, end)
    await Promise.all(Array.from({ length: ONLY === undefined ? CONNECTIONS : 1 }, () => work(numbers, faults, late)))
  }
  const began = performance.now()
  await campaign(0, Math.floor(warm))
  const before = await stateOf(user)
  await campaign(ONLY === undefined ? Math.floor(warm) : from, ONLY === undefined ? COUNT : from + 1)
  for (const number of late) {
    if (await isAlwaysLate(number)) faults.push(`case ${number}: no answer within ${LATE_MS} ms, three times`)
  }
  const seconds = (performance.now() - began) / 1000
  const after = await stateOf(user)
  const shown = [...counts]
    .toSorted(([one], [other]) => one.localeCompare(other))
    .map(([name, times]) => `${name}: ${times}`)
  console.log(
    `fuzz: seed ${seed}, ${COUNT} requests, ${Math.round(COUNT / seconds)}/s; ${shown.join(', ')}; ` +
      `alive ${before.aliveMiB.toFixed(1)} → ${after.aliveMiB.toFixed(1)} MiB, resident ${before.residentMiB.toFixed(0)} → ${after.residentMiB.toFixed(0)} MiB; a healthy request ${before.ms.toFixed(1)} → ${after.ms.toFixed(1)} ms; ` +
      `late while the machine was busy: ${late.length}; open files ${before.files} → ${after.files}`,
  )
  expect(faults, `seed ${seed}; again: FAULTS_SEED=${seed} FAULTS_FUZZ_ONLY=<case>\n${faults.join('\n')}`).toEqual([])
  expect(after.aliveMiB - before.aliveMiB).toBeLessThanOrEqual((ALIVE_BYTES + later * ALIVE_BYTES_EACH) / 2 ** 20)
  expect(after.residentMiB - before.residentMiB).toBeLessThanOrEqual(RESIDENT_MIB)
  expect(after.ms).toBeLessThanOrEqual(4 * Math.max(before.ms, 5))
  expect(after.files).toBeLessThanOrEqual(before.files + 2 * CONNECTIONS)
  expect(readdirSync(join(dir, 'spool'))).toEqual([])
  expect((await user.addMessage('chat:after', 'Hello')).status).toBeLessThan(300)
})

it('covers every route of the document', () => {
  expect(routes.toSorted()).toEqual(api.routes.toSorted())
})
