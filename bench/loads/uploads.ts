import type { Bench, Goal, Load, Sample } from '../harness/load.ts'
import { peakMb, resetPeak, type Server, startProgram } from '../harness/processes.ts'
import { gatewayWays, interleave, type Place, take, type Way } from '../harness/rounds.ts'
import { prepareSite } from '../harness/site.ts'
import { hashOf, type UploadOptions } from '../requests/upload.ts'

const DISK = 'bytes to disk and SHA-256'
const SYNCED = 'the same, forced to disk'
const RELAYED = 'the same, then the raw file sent on'
const NAIVE = 'naive'
const POSTGRES = 'gateway, PostgreSQL'
const EMBEDDED = 'gateway, embedded backend'
const MB = 1e6
/** Of the slow backend, for each file. */
const SLOW = 60 * MB
const GROWTH = 'peak of 100 MB less that of 10 MB'
const SLOWLY = '16 × 50 MB, slow backend'

type Options = Omit<UploadOptions, 'base' | 'size'>

interface Case {
  readonly name: string
  readonly size: number
  readonly atATime: number
  readonly count?: number
  readonly seconds?: number
  readonly kind?: 'wav' | 'txt'
  /** Ways that it is for; all by default. */
  readonly only?: (way: string) => boolean
  readonly isSlow?: boolean
  /** In the first round alone. */
  readonly once?: (way: string) => boolean
}

const isGateway = (way: string) => way.startsWith('gateway')
const isNaive = (way: string) => way === NAIVE
const isEmbedded = (way: string) => way.startsWith(EMBEDDED)
const relays = (way: string) => !isEmbedded(way)
/** Many large files at a time are not what PGlite is for. */
const hasMany = (way: string) => relays(way) && !way.includes('PGlite')
/** Sends on what it was given. */
const isRelaying = (way: string) => way === RELAYED || isNaive(way) || (isGateway(way) && relays(way))

const cases: readonly Case[] = [
  { name: '1 KB', size: 1_000, atATime: 8, seconds: 1.5, only: relays },
  { name: '1 MB', size: MB, atATime: 4, seconds: 1.5, only: relays },
  { name: '10 MB', size: 10 * MB, atATime: 1, count: 4, only: relays },
  { name: '100 MB', size: 100 * MB, atATime: 1, count: 2, only: relays },
  { name: '16 × 50 MB', size: 50 * MB, atATime: 16, count: 16, only: hasMany, once: isNaive },
  { name: '64 × 10 MB', size: 10 * MB, atATime: 64, count: 64, only: (way) => hasMany(way) && !isNaive(way) },
  { name: SLOWLY, size: 50 * MB, atATime: 16, count: 16, only: (way) => hasMany(way) && isGateway(way), isSlow: true },
  { name: '16 × 12 MB of text', size: 12 * MB, atATime: 16, count: 16, kind: 'txt', only: isEmbedded },
  { name: '16 × 12 MB of sound', size: 12 * MB, atATime: 16, count: 16, only: isEmbedded },
]
const quickCases = cases.map((one) => ({
  ...one,
  size: Math.max(1_000, one.size / 100),
  ...(one.count === undefined
    ? { seconds: 0.1 }
    : { count: Math.min(2, one.count), atATime: Math.min(2, one.atATime) }),
}))

const big = ['100 MB', '16 × 50 MB']
const x = (to: string) => ({ value: 'mbPerSecond', by: 'x', to }) as const
const goals: Goal[] = [
  ...big.flatMap((name) => [
    { case: name, way: POSTGRES, of: x(DISK), atLeast: 0.5 },
    { case: name, way: POSTGRES, of: x(RELAYED), atLeast: 0.7 },
    { case: name, way: POSTGRES, of: x(NAIVE), atLeast: 5 },
  ]),
  { case: '1 KB', way: POSTGRES, of: x(NAIVE), atLeast: 2.5 },
  ...['16 × 50 MB', '64 × 10 MB', SLOWLY].map((name) => ({
    case: name,
    way: POSTGRES,
    of: 'peakMb' as const,
    atMost: 200,
  })),
  { case: GROWTH, way: POSTGRES, of: 'peakMb', atMost: 16 },
]

export const uploads: Load = {
  id: 'A',
  title: 'Uploads',
  about: `A form with one file, to the answer: stored, hashed, its rows committed, relayed as base64 to a backend that answers at once. "${DISK}" is a bare server of node:http; "${NAIVE}" parses the form with the framework, makes base64 of a Buffer, JSON of that, and fetches. The gateway forces its files to disk, which none of the others does but the one that says so. MB is 10⁶ bytes; the peak is of resident memory, reset before each case.`,
  shown: ['mbPerSecond', 'perSecond', 'p50', 'cpuMs', 'peakMb'],
  compared: [x(DISK), x(RELAYED), x(NAIVE), { value: 'cpuMs', by: 'x', to: DISK }],
  goals,
  chart: x(DISK),
  run,
}

async function run(bench: Bench): Promise<Sample[]> {
  await using cleanUp = new AsyncDisposableStack()
  const backend = await startProgram('references/backend.ts')
  cleanUp.defer(backend.stop)
  const ways: Way<Options>[] = [
    reference(DISK, 'store.ts', ['plain']),
    reference(SYNCED, 'store.ts', ['sync']),
    reference(RELAYED, 'store.ts', ['relay', backend.base]),
    {
      name: NAIVE,
      options: { form: 'naive', users: [] },
      start: () => startProgram('references/naive.ts', [backend.base]),
    },
  ]
  const relaying = { MEMORY_BACKEND: 'everos', EVEROS_BASE_URL: backend.base }
  for (const database of bench.databases) {
    const site = await prepareSite({ database, settings: relaying, users: 16 })
    cleanUp.defer(site.drop)
    ways.push(...gatewayWays(bench, site, `gateway, ${database}`, { form: 'gateway' as const, users: site.users }))
  }
  const database = bench.databases[0] ?? 'PGlite'
  const embedded = await prepareSite({ database, users: 16 })
  cleanUp.defer(embedded.drop)
  const options = { form: 'gateway' as const, users: embedded.users }
  ways.push(...gatewayWays(bench, embedded, `${EMBEDDED}, ${database}`, options))
  const samples = await interleave(bench, ways, (place) => measure(bench, place, backend))
  return [...samples, ...growths(samples)]
}

function reference(name: string, file: string, args: string[]): Way<Options> {
  return { name, options: { form: 'raw', users: [] }, start: () => startProgram(`references/${file}`, args) }
}

async function measure(bench: Bench, place: Place<Options>, backend: Server) {
  const { way, server, round } = place
  await warmUp(place, backend)
  const own = (bench.isQuick ? quickCases : cases).filter(
    ({ only, once }) => (only?.(way.name) ?? true) && (round === 0 || !once?.(way.name)),
  )
  const samples = []
  for (const { name, size, atATime, count, seconds, kind, isSlow } of own) {
    if (isSlow) await setMode(backend, { bytesPerSecond: SLOW })
    resetPeak(server.pids)
    const task = { requests: 'upload', atATime, ...(count ? { count } : {}), ...(seconds ? { seconds } : {}) }
    await taken(backend)
    const done = await take(place, task, { size, mayQueue: isSlow, ...(kind && { kind }) })
    if (isSlow) await setMode(backend, {})
    else await checkRelayed(place, backend, size, done.times.last.length)
    const { perSecond, p50, cpuMs } = done
    const values = { mbPerSecond: (perSecond * size) / MB, perSecond, p50, cpuMs, peakMb: peakMb(server.pids) }
    samples.push({ case: name, values })
  }
  return samples
}

/** What the backend was given while the way warmed up must be what was uploaded. */
async function warmUp(place: Place<Options>, backend: Server): Promise<void> {
  const { name } = place.way
  await setMode(backend, { check: true })
  await taken(backend)
  for (const size of [1_000, MB]) await take(place, { requests: 'upload', atATime: 4, count: 8 }, { size })
  const { hashes } = await taken(backend)
  await setMode(backend, {})
  const expected = isRelaying(name) ? [hashOf(1_000), hashOf(MB)] : []
  const isRight = expected.every((hash) => hashes.filter((one) => one === hash).length === 8)
  if (!isRight || hashes.length !== 8 * expected.length) throw new Error('The backend was given other files.')
}

/** Base64 of each file, or the file. */
async function checkRelayed({ way }: Place<Options>, backend: Server, size: number, uploads: number): Promise<void> {
  const { requests, bytes } = await taken(backend)
  const each = way.name === RELAYED ? size : 4 * Math.ceil(size / 3)
  if (requests !== (isRelaying(way.name) ? uploads : 0) || (isRelaying(way.name) && bytes < uploads * each)) {
    throw new Error(`The backend was given ${requests} requests of ${bytes} bytes for ${uploads} uploads of ${size}.`)
  }
}

async function setMode(backend: Server, mode: object): Promise<void> {
  await fetch(`${backend.base}/stub/mode`, { method: 'POST', body: JSON.stringify(mode) })
}

async function taken(backend: Server): Promise<{ requests: number; bytes: number; hashes: string[] }> {
  return (await (await fetch(`${backend.base}/stub/taken`)).json()) as never
}

function growths(samples: readonly Sample[]): Sample[] {
  const of = (name: string) => samples.filter((sample) => sample.case === name && isGateway(sample.way))
  return of('100 MB').flatMap((large) => {
    const small = of('10 MB').find(({ way, round }) => way === large.way && round === large.round)
    const peak = (large.values.peakMb ?? 0) - (small?.values.peakMb ?? 0)
    return [{ ...large, case: GROWTH, values: { peakMb: peak } }]
  })
}
