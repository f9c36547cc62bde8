import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, createServer, type IncomingMessage, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setImmediate as nextTurn } from 'node:timers/promises'

// What the chat proxy costs: a stub model server asked directly, through a bare pipe of node:http, through the proxy, and through the
// proxy with memory. Client, stub, pipe and gateway are processes of their own; each answer is compared with what the stub sends before it is counted.
//   node bench/chat-proxy.ts [rounds]     settings of the gateway come from the environment, e.g. DATABASE_URL

const ROUNDS = Number(process.argv[2] ?? 5)
/** One after the other, for the times; and then so many at a time, for the rate. */
const ALONE = 60
const TOGETHER = 240
const AT_A_TIME = 16
/** A conversation has so many exchanges; then the next begins. */
const EXCHANGES = 10
const RESULTS = 'bench/results/chat-proxy.md'

const kinds = ['JSON', 'SSE'] as const
type Kind = (typeof kinds)[number]
const ways = ['direct', 'pipe', 'proxy', 'proxy with memory'] as const
type Way = (typeof ways)[number]

const text = 'The harbour of Bergen is full of ships, and the fish market opens at nine. '
const WHOLE = JSON.stringify({
  id: 'chatcmpl-bench',
  object: 'chat.completion',
  model: 'bench',
  choices: [{ index: 0, message: { role: 'assistant', content: text.repeat(8) }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 20, completion_tokens: 120, total_tokens: 140 },
})
const EVENTS = [
  ...Array.from({ length: 60 }, (_, at) => ({
    delta: at === 0 ? { role: 'assistant', content: '' } : { content: text.slice(at % 60, (at % 60) + 14) },
    finish_reason: null,
  })),
  { delta: {}, finish_reason: 'stop' },
].map((choice) => {
  const chunk = { id: 'chatcmpl-bench', object: 'chat.completion.chunk', model: 'bench' }
  return `data: ${JSON.stringify({ ...chunk, choices: [{ index: 0, ...choice }] })}\n\n`
})
const STREAM = `${EVENTS.join('')}data: [DONE]\n\n`

const role = process.env.BENCH_ROLE
if (role === 'stub') await listen(createServer(answerAsModel))
else if (role === 'pipe') await listen(createServer(pipeOn))
else await bench()

async function listen(server: Server): Promise<void> {
  server.keepAliveTimeout = 60_000
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  console.log(JSON.stringify({ msg: 'ready', base: `http://127.0.0.1:${port}` }))
}

function answerAsModel(...[incoming, outgoing]: Parameters<Parameters<typeof createServer>[1] & object>): void {
  void (async () => {
    const { stream } = JSON.parse(await bodyOf(incoming)) as { stream?: boolean }
    if (!stream) {
      outgoing.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(WHOLE) })
      return outgoing.end(WHOLE)
    }
    outgoing.writeHead(200, { 'content-type': 'text/event-stream' })
    for (const event of EVENTS) {
      outgoing.write(event)
      await nextTurn()
    }
    return outgoing.end('data: [DONE]\n\n')
  })()
}

const upstream = new Agent({ keepAlive: true })
function pipeOn(...[incoming, outgoing]: Parameters<Parameters<typeof createServer>[1] & object>): void {
  const { method, headers, url } = incoming
  const sent = request(`${process.env.BENCH_STUB}${url}`, { agent: upstream, method, headers }, (response) => {
    outgoing.writeHead(response.statusCode ?? 502, response.headers)
    response.pipe(outgoing)
  })
  sent.once('error', () => outgoing.destroy())
  incoming.pipe(sent)
}

interface Site {
  readonly bases: Readonly<Record<Way, string>>
  readonly user: { readonly id: string; readonly key: string }
}

interface Times {
  /** Milliseconds until the first byte of the body, and until its last. */
  readonly first: number[]
  readonly last: number[]
  perSecond: number
}

async function bench(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'gateway-bench-'))
  const children: ChildProcess[] = []
  try {
    const site = await startSite(dir, children)
    for (const way of ways) for (const kind of kinds) await measure(site, way, kind, new Agent({ keepAlive: true }))
    const rounds: Record<string, Times>[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const times: Record<string, Times> = {}
      const agent = new Agent({ keepAlive: true })
      for (const kind of kinds) for (const way of ways) times[`${kind} ${way}`] = await measure(site, way, kind, agent)
      agent.destroy()
      rounds.push(times)
    }
    const report = reportOf(rounds)
    console.log(report)
    writeFileSync(RESULTS, report)
  } finally {
    for (const child of children.toReversed()) {
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
    rmSync(dir, { recursive: true, force: true })
  }
}

async function startSite(dir: string, children: ChildProcess[]): Promise<Site> {
  const begin = async (script: string, settings: Record<string, string>) => {
    const env = { ...process.env, PORT: '0', LOG_FORMAT: 'json', ...settings }
    const child = spawn(process.execPath, [script], { env, stdio: ['ignore', 'pipe', 'inherit'] })
    children.push(child)
    return readiness(child)
  }
  const stub = await begin(import.meta.filename, { BENCH_ROLE: 'stub' })
  const pipe = await begin(import.meta.filename, { BENCH_ROLE: 'pipe', BENCH_STUB: stub })
  const limits = ['ALL', 'PROXY', 'PROXY_10S', 'MEMORY_READS', 'MEMORY_WRITES'].map((name) => [
    `RATE_LIMIT_${name}`,
    '0',
  ])
  const settings = { STORAGE_DIR: dir, OPENAI_BASE_URL: `${stub}/v1`, ...Object.fromEntries(limits) }
  const gateway = await begin('src/main.ts', settings)
  const created = await fetch(`${gateway}/users`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user_id: `bench_${process.pid}` }),
  })
  const { user_id, user_key } = (await created.json()) as { user_id: string; user_key: string }
  return {
    bases: { direct: stub, pipe, proxy: gateway, 'proxy with memory': gateway },
    user: { id: user_id, key: user_key },
  }
}

function readiness(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout ?? process.stdin }).on('line', (line) => {
      const { msg, base } = line.startsWith('{') ? (JSON.parse(line) as { msg?: string; base?: string }) : {}
      if (msg === 'ready' && base) resolve(base)
    })
    child.once('exit', () => reject(new Error('A process did not start.')))
  })
}

/** A conversation of its own for each worker, so that what is remembered of one does not grow with the length of the run. */
async function measure(site: Site, way: Way, kind: Kind, agent: Agent): Promise<Times> {
  const times: Times = { first: [], last: [], perSecond: 0 }
  const work = async (count: () => boolean) => {
    let thread = ''
    for (let turn = 0; count(); turn++) {
      if (turn % EXCHANGES === 0) thread = `bench:${randomUUID()}`
      const { first, last } = await ask(site, { way, kind, thread, turn }, agent)
      times.first.push(first)
      times.last.push(last)
    }
  }
  let left = ALONE
  await work(() => left-- > 0)
  const alone = times.last.length
  const began = performance.now()
  left = TOGETHER
  await Promise.all(Array.from({ length: AT_A_TIME }, () => work(() => left-- > 0)))
  times.perSecond = (1000 * TOGETHER) / (performance.now() - began)
  times.first.length = times.last.length = alone
  return times
}

interface Question {
  readonly way: Way
  readonly kind: Kind
  readonly thread: string
  readonly turn: number
}

function ask({ bases, user }: Site, { way, kind, thread, turn }: Question, agent: Agent) {
  const body = JSON.stringify({
    model: way.startsWith('proxy') ? 'openai/bench' : 'bench',
    messages: [{ role: 'user', content: `Question ${turn}: what is there to see in Bergen today?` }],
    ...(kind === 'SSE' && { stream: true }),
  })
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...(way.startsWith('proxy') && { authorization: `Bearer ${user.key}` }),
    ...(way === 'proxy with memory' && { 'x-thread-id': thread, 'x-resource-id': user.id }),
  }
  const began = performance.now()
  return new Promise<{ first: number; last: number }>((resolve, reject) => {
    const sent = request(`${bases[way]}/v1/chat/completions`, { agent, method: 'POST', headers }, (response) => {
      let first = 0
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => {
        first ||= performance.now() - began
        chunks.push(chunk)
      })
      response.once('error', reject)
      response.once('end', () => {
        const last = performance.now() - began
        const fault = faultOf(response, Buffer.concat(chunks).toString(), { way, kind })
        if (fault) reject(new Error(`${kind}, ${way}: ${fault}`))
        else resolve({ first, last })
      })
    })
    sent.once('error', reject)
    sent.end(body)
  })
}

function faultOf(response: IncomingMessage, body: string, { way, kind }: { way: Way; kind: Kind }): string | undefined {
  if (response.statusCode !== 200) return `${response.statusCode} ${body.slice(0, 300)}`
  if (body !== (kind === 'SSE' ? STREAM : WHOLE)) return `another answer than the model's: ${body.slice(0, 300)}`
  const status = response.headers['x-memory-status']
  if (way !== 'proxy with memory')
    return status === undefined ? undefined : `a memory status without memory: ${String(status)}`
  return status === 'used' || status === 'none' ? undefined : `memory status ${String(status)}`
}

async function bodyOf(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

function quantile(values: readonly number[], share: number): number {
  return (
    values.toSorted((one, other) => one - other)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0
  )
}

function reportOf(rounds: readonly Record<string, Times>[]): string {
  const rows = kinds.flatMap((kind) =>
    ways.map((way) => {
      const own = rounds.flatMap((round) => round[`${kind} ${way}`] ?? [])
      const middle = (of: (times: Times) => number) => quantile(own.map(of), 0.5)
      // Within a round: what else the machine did then, it did to both.
      const ratio = (of: (times: Times) => number, to: Way) =>
        quantile(
          rounds.flatMap((round) => {
            const [mine, other] = [round[`${kind} ${way}`], round[`${kind} ${to}`]]
            return mine && other ? [of(mine) / of(other)] : []
          }),
          0.5,
        ).toFixed(2)
      const p50 = ({ last }: Times) => quantile(last, 0.5)
      const cells = [
        kind,
        way,
        middle(({ first }) => quantile(first, 0.5)).toFixed(1),
        middle(p50).toFixed(1),
        middle(({ last }) => quantile(last, 0.99)).toFixed(1),
        ratio(p50, 'direct'),
        ratio(p50, 'pipe'),
        middle(({ perSecond }) => perSecond).toFixed(0),
        ratio(({ perSecond }) => perSecond, 'pipe'),
      ]
      return `| ${cells.join(' | ')} |`
    }),
  )
  const load = loadavg()[0]?.toFixed(1)
  return `# What the chat proxy costs

\`node bench/chat-proxy.ts ${ROUNDS}\`, ${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}, ${availableParallelism()} cores, load ${load} at the end. A stub model that answers at once; client, stub,
pipe (bare node:http) and gateway are processes of their own; ${ROUNDS} interleaved rounds of ${ALONE} requests one after the other and ${TOGETHER} by ${AT_A_TIME} at a time. Medians over the rounds; ratios are taken
within a round. Every answer was byte for byte the model's.

| Answer | Way | first byte ms | p50 ms | p99 ms | p50 to direct | p50 to pipe | requests/s | rate to pipe |
|---|---|---|---|---|---|---|---|---|
${rows.join('\n')}
`
}
