import { mkdirSync } from 'node:fs'
import type { Bench, Comparison, Goal, Load, Sample } from '../harness/load.ts'
import { type Server, startProgram } from '../harness/processes.ts'
import { gatewayWays, interleave, type Place, runningWay, type Way } from '../harness/rounds.ts'
import { type Caller, post, prepareSite, type Site } from '../harness/site.ts'
import { install, scratch, VERSIONS } from '../peers/install.ts'
import { type ChatWay, chats } from './chat-measure.ts'
import { remember } from './memories.ts'
import { sentence } from './sentences.ts'

const DIRECT = 'direct'
const PIPE = 'bare pipe'
const MEM0 = 'mem0'
const PACE = { warm: 0.8, alone: 1.2, together: 2 }
const BATCH = 500
const bare: ChatWay = { prefix: '', headers: {}, withThreads: false, isSame: true }
const added = (value: 'p50' | 'firstP50'): Comparison => ({ value, by: '+', to: DIRECT })

const goals = ['gateway, embedded, PostgreSQL', 'gateway, embedded, PGlite', 'gateway, stub, PostgreSQL'].flatMap(
  (way): Goal[] => [
    { case: 'JSON', way, of: added('p50'), atMost: 10 },
    { case: 'SSE', way, of: added('firstP50'), atMost: 10 },
    { case: 'SSE', way, of: added('p50'), atMost: 10 },
  ],
)

export const chatsWithMemory: Load = {
  id: 'D',
  title: 'The chat proxy with memory',
  about: `As C, in threads of a user who has 10,000 memories in the embedded backend, or of one whose searches a stub of a backend answers with 10. The end of an answer waits for the commit of what was said. ${MEM0} is the library mem0ai ${VERSIONS.mem0} behind a small server that searches, asks the model and adds, with the stub for its models, a vector store in the process and 1,000 memories.`,
  shown: ['p50', 'p99', 'firstP50', 'perSecond', 'cpuMs', 'usedMemory'],
  compared: [
    added('p50'),
    added('firstP50'),
    { value: 'perSecond', by: 'x', to: MEM0 },
    { value: 'cpuMs', by: 'x', to: MEM0 },
  ],
  goals,
  chart: added('p50'),
  run,
}

async function run(bench: Bench): Promise<Sample[]> {
  await using cleanUp = new AsyncDisposableStack()
  const model = await startProgram('references/model.ts')
  cleanUp.defer(model.stop)
  const backend = await startProgram('references/backend.ts')
  cleanUp.defer(backend.stop)
  const ways: Way<ChatWay>[] = [
    runningWay(DIRECT, model, bare),
    { name: PIPE, options: bare, start: () => startProgram('references/proxy.ts', ['pipe', model.base]) },
    ...(await mem0(bench, model, cleanUp)),
  ]
  const provider = { OPENAI_BASE_URL: `${model.base}/v1` }
  for (const database of bench.databases) {
    const memories = bench.isQuick ? 100 : 10_000
    const site = await prepareSite({ database, settings: provider }, (base, users) => fill(base, users, memories))
    cleanUp.defer(site.drop)
    ways.push(...gatewayWays(bench, site, `gateway, embedded, ${database}`, optionsOf(site)))
    bench.progress(`${memories} memories on ${database}`)
  }
  const [database = 'PGlite'] = bench.databases
  const settings = { ...provider, MEMORY_BACKEND: 'everos', EVEROS_BASE_URL: backend.base }
  const stub = await prepareSite({ database, settings }, remember)
  cleanUp.defer(stub.drop)
  ways.push(...gatewayWays(bench, stub, `gateway, stub, ${database}`, optionsOf(stub)))
  return await interleave(bench, ways, (place) => measure(bench, place))
}

function optionsOf({ users: [user] }: Site): ChatWay {
  const headers = { authorization: `Bearer ${user?.key}`, 'x-resource-id': user?.id ?? '' }
  return { prefix: 'openai/', headers, withThreads: true, isSame: true }
}

async function fill(base: string, [user]: readonly Caller[], memories: number): Promise<void> {
  const { id, key } = user ?? { id: '', key: '' }
  for (let at = 0; at < memories; at += BATCH) {
    const session = { session_id: `chat:seed-${at}` }
    const messages = Array.from({ length: Math.min(BATCH, memories - at) }, (_, index) => ({
      role: 'user',
      sender_id: id,
      timestamp: 1_700_000_000_000 + (at + index) * 60_000,
      content: sentence(at + index),
    }))
    await post(base, '/memories/add', key, { ...session, messages })
    await post(base, '/memories/flush', key, session)
  }
}

async function mem0(bench: Bench, model: Server, cleanUp: AsyncDisposableStack): Promise<Way<ChatWay>[]> {
  try {
    const dir = scratch('mem0')
    mkdirSync(dir, { recursive: true })
    const memories = bench.isQuick ? 20 : 1_000
    const server = await startProgram('peers/mem0.ts', [await install('mem0'), dir, model.base, String(memories)])
    cleanUp.defer(server.stop)
    return [runningWay(MEM0, server, { ...bare, withThreads: true })]
  } catch (error) {
    bench.skip(MEM0, String(error))
    return []
  }
}

async function measure(bench: Bench, place: Place<ChatWay>) {
  if (place.way.name === MEM0) return measureMem0(bench, place)
  return [await chats(bench, place, false, PACE), await chats(bench, place, true, PACE)]
}

/** Its SQLite can end the process of it (better-sqlite3, as it is collected by Node 24.21); the others are measured all the same. */
async function measureMem0(bench: Bench, place: Place<ChatWay>) {
  try {
    return [await chats(bench, place, false, PACE)]
  } catch (error) {
    bench.skip(`${MEM0}, round ${place.round + 1}`, String(error).split('\n', 1)[0] ?? '')
    return []
  }
}
