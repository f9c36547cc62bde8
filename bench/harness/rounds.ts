import { type Caller, startCaller } from './caller.ts'
import type { Task, Times } from './caller-process.ts'
import type { Bench, Sample } from './load.ts'
import { cpuMs, type Server } from './processes.ts'
import type { Site } from './site.ts'
import { median, quantile } from './statistics.ts'

/** One of those that are compared. */
export interface Way<Options extends object = object> {
  readonly name: string
  /** What its requests are made of, besides the address. */
  readonly options: Options
  /** For each round anew. */
  start(): Promise<Server>
}

/** Where a load measures: a server that runs, and the process that calls it. */
export interface Place<Options extends object = object> {
  readonly way: Way<Options>
  readonly server: Server
  readonly caller: Caller
  readonly round: number
}

/** All ways in each round, in every other round in the opposite order. */
export async function interleave<Options extends object>(
  bench: Bench,
  ways: readonly Way<Options>[],
  measure: (place: Place<Options>) => Promise<Omit<Sample, 'way' | 'round'>[]>,
): Promise<Sample[]> {
  const samples: Sample[] = []
  for (let round = 0; round < bench.rounds; round++) {
    for (const way of round % 2 === 0 ? ways : ways.toReversed()) {
      const server = await way.start()
      const caller = startCaller()
      try {
        const own = await measure({ way, server, caller, round })
        samples.push(...own.map((sample) => ({ ...sample, way: way.name, round })))
      } catch (error) {
        throw new Error(`${way.name}: ${error instanceof Error ? error.message : String(error)}\n${complaints(server)}`)
      } finally {
        caller.end()
        await server.stop()
      }
    }
    bench.progress(`round ${round + 1} of ${bench.rounds}`)
  }
  return samples
}

/** The last warnings and errors of its log. */
function complaints({ said }: Server): string {
  const lines = said?.().match(/^\{"level":[456]0.*$/gm) ?? []
  return lines.slice(-5).join('\n').slice(-5_000)
}

/** The gateway on a site as a way; with `--beside` also that of the other checkout. */
export function gatewayWays<Options extends object>(
  bench: Bench,
  site: Pick<Site, 'start'>,
  name: string,
  options: Options,
): Way<Options>[] {
  const own = { name, options, start: () => site.start('.', bench.nodeFlags) }
  const { beside } = bench
  return beside === undefined ? [own] : [own, { name: `${name}, beside`, options, start: () => site.start(beside) }]
}

/** A server that is not started anew each round, as a way. */
export function runningWay<Options extends object>(name: string, server: Server, options: Options): Way<Options> {
  return { name, options, start: async () => ({ ...server, stop: async () => {} }) }
}

export interface Measured {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  readonly firstP50: number
  readonly cpuMs: number
  readonly times: Times
}

/** Runs a task against the place's server. */
export async function take<Options extends object>(
  { way, server, caller }: Place<Options>,
  task: Omit<Task, 'options'>,
  options: object = {},
): Promise<Measured> {
  const before = cpuMs(server.pids)
  const times = await caller.run({
    ...task,
    options: { base: server.base, bases: server.bases, ...way.options, ...options },
  })
  const count = times.last.length
  return {
    perSecond: (1_000 * count) / times.all,
    p50: median(times.last),
    p99: quantile(times.last, 0.99),
    firstP50: median(times.first),
    cpuMs: (cpuMs(server.pids) - before) / count,
    times,
  }
}
