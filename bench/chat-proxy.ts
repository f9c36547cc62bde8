import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import type { Task, Times } from './chat-proxy/caller.ts'
import { prepareSite, type Running, type Site, stop } from './chat-proxy/gateway.ts'
import { type Measured, reportOf } from './chat-proxy/report.ts'

// What the chat proxy costs: a stub model server asked directly, through a bare pipe of node:http, through the proxy, and through the
// proxy with a memory of 10,000. Caller, model, pipe and gateway are processes of their own; each answer is compared with what the model
// sends before it is counted.
//   node bench/chat-proxy.ts [rounds]                PGlite, and with DATABASE_URL also PostgreSQL, in a database of its own
//   BENCH_ONLY='proxy' node bench/chat-proxy.ts      those ways whose names contain it, and the pipe; writes no report
//   BENCH_FLAGS='--cpu-prof --cpu-prof-dir=/tmp/p'   for the gateway
//   BENCH_BESIDE=/path/to/another/checkout           the same with that one's gateway

const ROUNDS = Number(process.argv[2] ?? 5)
const MEMORIES = Number(process.env.BENCH_MEMORIES ?? 10_000)
const { BENCH_ONLY: only, BENCH_FLAGS: flags = '', BENCH_BESIDE: beside, DATABASE_URL: databaseUrl } = process.env
const RESULTS = 'bench/results/chat-proxy.md'
/** Requests: to warm up, one after the other for the times, and so many at a time for the rate. */
const PLAIN = { warm: 200, alone: 80, together: 480 }
const WITH_MEMORY = { warm: 32, alone: 30, together: 96 }
const AT_A_TIME = 16
const TICK_MS = 10

interface Way {
  readonly name: string
  readonly task: Omit<Task, 'base' | 'isStream' | 'requests' | 'atATime'>
  /** A fresh process each time; the model itself runs on. */
  start(): Promise<Running>
  stop(running: Running): Promise<void>
}

const model = await server('model')
const sites: Site[] = []
try {
  const urls = [undefined, databaseUrl].filter((url, index) => (index === 0 ? !only?.includes('PostgreSQL') : url))
  for (const url of urls) {
    sites.push(
      await prepareSite({ databaseUrl: url, model: model.base, memories: MEMORIES }, flags.split(' ').filter(Boolean)),
    )
  }
  const ways = waysTo(model, sites).filter(({ name }) => name === 'pipe' || !only || name.includes(only))
  const rounds: Map<string, Measured>[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const measured = new Map<string, Measured>()
    for (const way of round % 2 === 0 ? ways : ways.toReversed()) {
      for (const [kind, result] of await measure(way)) measured.set(`${kind} ${way.name}`, result)
    }
    rounds.push(measured)
    process.stderr.write(`round ${round + 1} of ${ROUNDS}\n`)
  }
  const report = reportOf(
    rounds,
    ways.map(({ name }) => name),
  )
  process.stdout.write(report)
  if (!only) writeFileSync(RESULTS, report)
} finally {
  for (const site of sites) await site.drop()
  await stop(model.process)
}

async function server(role: 'model' | 'pipe', target = ''): Promise<Running> {
  const child = fork(`${import.meta.dirname}/chat-proxy/servers.ts`, [role, target])
  const [{ base }] = (await once(child, 'message')) as [{ base: string }]
  return { base, process: child }
}

function waysTo(stub: Running, places: readonly Site[]): Way[] {
  const end = ({ process: child }: Running) => stop(child)
  const bare = { headers: {}, prefix: '', withThreads: false }
  return [
    { name: 'direct', task: bare, start: async () => stub, stop: async () => {} },
    { name: 'pipe', task: bare, start: () => server('pipe', stub.base), stop: end },
    ...places.flatMap(({ name, headers, start }) =>
      (beside ? ['.', beside] : ['.']).flatMap((tree) => {
        const where = tree === '.' ? name : `${name} beside`
        const gateway = { start: () => start(tree), stop: end }
        const [plain, memory] = [headers.plain, headers.memory].map((own) => ({
          ...bare,
          prefix: 'openai/',
          headers: own,
        }))
        return [
          { name: `proxy, ${where}`, task: { ...bare, ...plain }, ...gateway },
          { name: `with memory, ${where}`, task: { ...bare, ...memory, withThreads: true }, ...gateway },
        ]
      }),
    ),
  ]
}

async function measure(way: Way): Promise<Map<string, Measured>> {
  const running = await way.start()
  const caller = fork(`${import.meta.dirname}/chat-proxy/caller.ts`)
  try {
    const base = running.base
    const { warm, alone, together } = way.task.withThreads ? WITH_MEMORY : PLAIN
    const results = new Map<string, Measured>()
    const task = { ...way.task, base, atATime: 1 }
    for (const isStream of [false, true]) {
      await tell<Times>(caller, { ...task, isStream, requests: warm, atATime: 4 })
      const single = await tell<Times>(caller, { ...task, isStream, requests: alone })
      const before = cpuMs(running.process)
      const many = await tell<Times>(caller, { ...task, isStream, requests: together, atATime: AT_A_TIME })
      results.set(isStream ? 'SSE' : 'JSON', {
        first: single.first,
        last: single.last,
        perSecond: (1_000 * together) / many.all,
        cpuMs: (cpuMs(running.process) - before) / together,
        remembered: way.task.withThreads ? many.remembered / together : undefined,
        left: undefined,
      })
    }
    const isLeavable = way.name !== 'direct'
    const left = isLeavable
      ? await tell<number>(caller, { leave: { ...task, isStream: true }, model: model.base })
      : undefined
    const sse = results.get('SSE')
    if (sse) results.set('SSE', { ...sse, left })
    return results
  } finally {
    caller.disconnect()
    await way.stop(running)
  }
}

async function tell<T>(caller: ChildProcess, task: unknown): Promise<T> {
  caller.send(task as Task)
  const gone = once(caller, 'exit').then(() => {
    throw new Error('The caller ended: see above.')
  })
  gone.catch(() => {})
  const [answer] = (await Promise.race([once(caller, 'message'), gone])) as [T]
  return answer
}

/** User and system time of a process, all its threads. */
function cpuMs({ pid }: ChildProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS
}
