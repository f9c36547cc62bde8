import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Bench, Comparison, Load, Sample } from '../harness/load.ts'
import type { Server } from '../harness/processes.ts'
import { gatewayWays, interleave, type Place, runningWay, take } from '../harness/rounds.ts'
import { prepareSite } from '../harness/site.ts'
import { median, quantile } from '../harness/statistics.ts'
import { freePort } from '../peers/install.ts'
import type { CycleOptions } from '../requests/cycle.ts'

const DIRECT = 'EverOS directly'
const CYCLE = 'add + flush + search'
const STEPS = ['add', 'flush', 'search'] as const
const SCRIPT = 'tests/services/everos.sh'
const x: Comparison = { value: 'p50', by: 'x', to: DIRECT }

type Options = Omit<CycleOptions, 'base'>

export const everos: Load = {
  id: 'G',
  title: 'Through EverOS',
  about: `A session of two messages is added, flushed and searched, one call after the other; EverOS is the real one, with a stub for its models. It runs through all rounds.`,
  shown: ['p50', 'p95'],
  compared: [x, { value: 'p50', by: '+', to: DIRECT }],
  goals: [{ case: CYCLE, way: 'gateway, PostgreSQL', of: x, atMost: 1.05 }],
  chart: x,
  run,
}

async function run(bench: Bench): Promise<Sample[]> {
  await using cleanUp = new AsyncDisposableStack()
  let server: Server
  try {
    server = await startEveros()
  } catch (error) {
    bench.skip('EverOS', String(error).slice(0, 500))
    return []
  }
  cleanUp.defer(server.stop)
  const ways = [runningWay<Options>(DIRECT, server, { api: 'everos', users: [] })]
  for (const database of bench.databases) {
    const site = await prepareSite({
      database,
      settings: { MEMORY_BACKEND: 'everos', EVEROS_BASE_URL: server.base },
    })
    cleanUp.defer(site.drop)
    ways.push(...gatewayWays<Options>(bench, site, `gateway, ${database}`, { api: 'gateway', users: site.users }))
  }
  return await interleave(bench, ways, (place) => measure(bench, place))
}

async function startEveros(): Promise<Server> {
  const command = promisify(execFile)
  const dir = mkdtempSync(join(tmpdir(), 'gateway-everos-'))
  const ports = { EVEROS_PORT: String(await freePort()), LLM_STUB_PORT: String(await freePort()) }
  const env = { ...process.env, ...ports }
  const stop = async () => {
    await command('bash', [SCRIPT, 'stop', dir])
    rmSync(dir, { recursive: true, force: true })
  }
  try {
    const { stdout } = await command('bash', [SCRIPT, 'start', dir], { env })
    return { base: stdout.trim().replace('TEST_EVEROS_URL=', ''), pids: [], stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function measure(bench: Bench, place: Place<Options>) {
  const cycles = bench.isQuick ? 2 : 20
  const task = { requests: 'cycle', atATime: 1 }
  await take(place, { ...task, count: 3 })
  const { times } = await take(place, { ...task, count: 3 * cycles })
  if (times.noted === 0) throw new Error('No search found what was added.')
  const of = (step: number) => times.last.filter((_, at) => at % STEPS.length === step)
  const whole = of(0).map((add, at) => add + (of(1)[at] ?? 0) + (of(2)[at] ?? 0))
  const sample = (name: string, values: readonly number[]) => ({
    case: name,
    values: { p50: median(values), p95: quantile(values, 0.95) },
  })
  return [sample(CYCLE, whole), ...STEPS.map((step, at) => sample(step, of(at)))]
}
