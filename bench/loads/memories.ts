import type { Bench, Goal, Load, Sample } from '../harness/load.ts'
import { startProgram } from '../harness/processes.ts'
import { gatewayWays, interleave, type Place, runningWay, take, type Way } from '../harness/rounds.ts'
import { type Caller, post, prepareSite } from '../harness/site.ts'
import type { MemoryOptions } from '../requests/memories.ts'

const DIRECT = 'direct'
const PROXY = 'bare proxy'
const STATEMENT = 'one prepared statement'
/** What a search finds: each of another session, of one message. */
const RESULTS = 10
const USERS = 16
const AT_A_TIME = 32

type Options = Omit<MemoryOptions, 'base' | 'call'>

const goals = ['gateway, PostgreSQL', 'gateway, PGlite'].flatMap((way): Goal[] => [
  { case: 'search', way, of: { value: 'perSecond', by: 'x', to: PROXY }, atLeast: 0.35 },
  { case: 'add', way, of: { value: 'perSecond', by: 'x', to: PROXY }, atLeast: 0.2 },
  ...['search', 'add'].flatMap((name): Goal[] => [
    { case: name, way, of: { value: 'p50', by: '+', to: DIRECT }, atMost: 1 },
    { case: name, way, of: { value: 'p99', by: '+', to: DIRECT }, atMost: 6 },
  ]),
])

export const memories: Load = {
  id: 'B',
  title: 'Small adds and searches',
  about: `A message without a file, committed and relayed; a search whose ${RESULTS} results are joined with their sessions and messages. Times are of one request after the other, rates and CPU time of ${AT_A_TIME} at a time by ${USERS} users. "${DIRECT}" is the stub that stands in for the backend; "${PROXY}" a server of node:http in front of it that collects request and answer; "${STATEMENT}" another that reads, or commits, one row of PostgreSQL and calls nobody. The gateway has its log, metrics and headers.`,
  shown: ['p50', 'p99', 'perSecond', 'cpuMs'],
  compared: [
    { value: 'p50', by: '+', to: DIRECT },
    { value: 'p99', by: '+', to: DIRECT },
    { value: 'perSecond', by: 'x', to: PROXY },
    { value: 'cpuMs', by: 'x', to: PROXY },
  ],
  goals,
  chart: { value: 'perSecond', by: 'x', to: PROXY },
  run,
}

async function run(bench: Bench): Promise<Sample[]> {
  await using cleanUp = new AsyncDisposableStack()
  const backend = await startProgram('references/backend.ts')
  cleanUp.defer(backend.stop)
  for (let at = 0; at < RESULTS; at++) {
    await post(backend.base, '/api/v2/memory/flush', '', { project_id: 'bench', session_id: `session_${at}` })
  }
  const bare = { api: 'everos' as const, users: [], results: RESULTS }
  const ways: Way<Options>[] = [
    runningWay(DIRECT, backend, bare),
    { name: PROXY, options: bare, start: () => startProgram('references/proxy.ts', ['buffer', backend.base]) },
  ]
  const settings = { MEMORY_BACKEND: 'everos', EVEROS_BASE_URL: backend.base }
  for (const database of bench.databases) {
    const site = await prepareSite({ database, settings, users: USERS }, remember)
    cleanUp.defer(site.drop)
    const options = { api: 'gateway' as const, users: site.users, results: RESULTS }
    ways.push(...gatewayWays(bench, site, `gateway, ${database}`, options))
    const { databaseUrl } = site
    if (databaseUrl === undefined) continue
    const statement = () => startProgram('references/statement.ts', [databaseUrl])
    ways.push({ name: STATEMENT, options: { ...bare, api: 'statement' }, start: statement })
  }
  return await interleave(bench, ways, (place) => measure(bench, place))
}

/** Sessions of one message, extracted: what each user's searches find. */
export async function remember(base: string, users: readonly Caller[]): Promise<void> {
  for (const { id, key } of users) {
    for (let at = 0; at < RESULTS; at++) {
      const session = { session_id: `chat:seed-${at}` }
      const content = `On day ${at} the fish market at the harbour of Bergen opened at nine.`
      await post(base, '/memories/add', key, { ...session, messages: [{ role: 'user', sender_id: id, content }] })
      await post(base, '/memories/flush', key, session)
    }
  }
}

async function measure(bench: Bench, place: Place<Options>) {
  const samples = []
  const [warm, alone, together, atATime] = bench.isQuick ? [0.05, 0.05, 0.05, 4] : [1, 1.2, 1.5, AT_A_TIME]
  for (const call of ['search', 'add'] as const) {
    const task = { requests: 'memories', atATime: 1 }
    await take(place, { ...task, seconds: warm, atATime }, { call })
    const { p50, p99 } = await take(place, { ...task, seconds: alone }, { call })
    const { perSecond, cpuMs } = await take(place, { ...task, seconds: together, atATime }, { call })
    samples.push({ case: call, values: { p50, p99, perSecond, cpuMs } })
  }
  return samples
}
