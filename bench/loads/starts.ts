import { availableParallelism } from 'node:os'
import type { Bench, Goal, Load, Sample } from '../harness/load.ts'
import { cpuMs, peakMb, type Server, startProgram } from '../harness/processes.ts'
import { interleave, type Place, take, type Way } from '../harness/rounds.ts'
import { type EmptySite, emptySite, prepareSite } from '../harness/site.ts'
import { startPortkey } from '../peers/portkey.ts'
import type { MemoryOptions } from '../requests/memories.ts'
import { remember } from './memories.ts'

const FIRST = 'first start'
const AGAIN = 'started again'
const SEARCHES = 'searches'
const ONE = 'one process'
const TWO = 'two processes'
/** Fewer leave the second process none that the first, the caller, the backend and the database do not use. */
const CORES_FOR_TWO = 5
const USERS = 32

const goals: Goal[] = [
  { case: AGAIN, way: 'gateway, PostgreSQL', of: 'readyMs', atMost: 1_000 },
  ...(availableParallelism() < CORES_FOR_TWO
    ? []
    : [{ case: SEARCHES, way: TWO, of: { value: 'perSecond', by: 'x', to: ONE } as const, atLeast: 1.7 }]),
]

export const starts: Load = {
  id: 'F',
  title: 'Starting, and two processes',
  about: `From the start of the process until it says that it is ready, or answers: on an empty folder and database, and again on what that left. CPU time and peak are of the whole start. Then searches as in B, ${USERS} at a time, through one gateway on PostgreSQL, and through two; two can only be faster where cores are free for them, so that is judged with ${CORES_FOR_TWO} or more.`,
  shown: ['readyMs', 'perSecond', 'p50', 'cpuMs', 'peakMb'],
  compared: [
    { value: 'readyMs', by: 'x', to: 'Portkey' },
    { value: 'perSecond', by: 'x', to: ONE },
  ],
  goals,
  chart: undefined,
  run,
}

async function run(bench: Bench): Promise<Sample[]> {
  return [...(await startTimes(bench)), ...(await twoProcesses(bench))]
}

async function startTimes(bench: Bench): Promise<Sample[]> {
  const hasPortkey = await startPortkey().then(
    async (server) => {
      await server.stop()
      return true
    },
    (error: unknown) => {
      bench.skip('Portkey', String(error))
      return false
    },
  )
  const samples: Sample[] = []
  for (let round = 0; round < bench.rounds; round++) {
    const ways = bench.databases.map((database) => ({ way: `gateway, ${database}`, database }))
    for (const { way, database } of round % 2 === 0 ? ways : ways.toReversed()) {
      const site = await emptySite({ database })
      try {
        for (const name of [FIRST, AGAIN]) {
          samples.push({ case: name, way, round, values: await timed(() => startOn(bench, site)) })
        }
      } finally {
        await site.drop()
      }
    }
    if (!hasPortkey) continue
    samples.push({ case: AGAIN, way: 'Portkey', round, values: await timed(startPortkey) })
  }
  return samples
}

function startOn(bench: Bench, site: EmptySite): Promise<Server> {
  return site.start('.', bench.nodeFlags)
}

async function timed(start: () => Promise<Server>): Promise<Sample['values']> {
  const began = performance.now()
  const server = await start()
  const values = { readyMs: performance.now() - began, cpuMs: cpuMs(server.pids), peakMb: peakMb(server.pids) }
  await server.stop()
  return values
}

async function twoProcesses(bench: Bench): Promise<Sample[]> {
  if (!bench.databases.includes('PostgreSQL')) return []
  if (availableParallelism() < CORES_FOR_TWO) {
    bench.skip('the goal for two processes', `${availableParallelism()} cores, ${CORES_FOR_TWO} are needed`)
  }
  await using cleanUp = new AsyncDisposableStack()
  const backend = await startProgram('references/backend.ts')
  cleanUp.defer(backend.stop)
  const settings = { MEMORY_BACKEND: 'everos', EVEROS_BASE_URL: backend.base }
  const site = await prepareSite({ database: 'PostgreSQL', settings, users: USERS }, remember)
  cleanUp.defer(site.drop)
  const options = { call: 'search' as const, api: 'gateway' as const, users: site.users, results: 10 }
  const ways: Way<Omit<MemoryOptions, 'base'>>[] = [
    { name: ONE, options, start: () => startOn(bench, site) },
    { name: TWO, options, start: async () => both(await startOn(bench, site), await startOn(bench, site)) },
  ]
  return await interleave(bench, ways, (place) => measure(bench, place))
}

function both(one: Server, other: Server): Server {
  return {
    base: one.base,
    bases: [one.base, other.base],
    pids: [...one.pids, ...other.pids],
    stop: async () => void (await Promise.all([one.stop(), other.stop()])),
  }
}

async function measure(bench: Bench, place: Place<Omit<MemoryOptions, 'base'>>) {
  const [warm, full] = bench.isQuick ? [0.05, 0.05] : [1, 3]
  const task = { requests: 'memories', atATime: USERS }
  await take(place, { ...task, seconds: warm })
  const { perSecond, p50, cpuMs } = await take(place, { ...task, seconds: full })
  return [{ case: SEARCHES, values: { perSecond, p50, cpuMs } }]
}
