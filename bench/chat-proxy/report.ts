import { availableParallelism, loadavg } from 'node:os'

/** One way of asking, one kind of answer, one round. */
export interface Measured {
  /** Milliseconds, of requests one after the other. */
  readonly first: readonly number[]
  readonly last: readonly number[]
  readonly perSecond: number
  /** Of the process that was asked, for each request. */
  readonly cpuMs: number
  /** Share of the chats that were shown something of their memory, of those with one. */
  readonly remembered: number | undefined
  /** Streams that the model still wrote a second after their callers had left; undefined if that was not looked at. */
  readonly left: number | undefined
}

const kinds = ['JSON', 'SSE'] as const

export function reportOf(rounds: readonly ReadonlyMap<string, Measured>[], ways: readonly string[]): string {
  const rows = kinds.flatMap((kind) => ways.map((way) => row(rounds, kind, way)))
  const load = loadavg()
    .map((one) => one.toFixed(1))
    .join(', ')
  return `# What the chat proxy costs

${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC, Node ${process.versions.node}, ${availableParallelism()} cores, load averages ${load} at the end. ${rounds.length} rounds, medians;
"added" and "x" are the medians of what came out within each round, the range of those in brackets; of an even number the larger one in the middle.
[docs/performance.md](../../docs/performance.md) says what was measured, and how to repeat it.

| answer | way | p50 ms | added to direct: first byte | all of it | p99 ms | requests/s | x pipe | CPU ms | memory used | streams left |
|---|---|---|---|---|---|---|---|---|---|---|
${rows.join('\n')}
`
}

function row(rounds: readonly ReadonlyMap<string, Measured>[], kind: string, way: string): string {
  const own = rounds.flatMap((round) => round.get(`${kind} ${way}`) ?? [])
  const within = (other: string, compare: (mine: Measured, its: Measured) => number) =>
    rounds.flatMap((round) => {
      const [mine, its] = [round.get(`${kind} ${way}`), round.get(`${kind} ${other}`)]
      return mine && its ? [compare(mine, its)] : []
    })
  const added = (of: (one: Measured) => readonly number[]) =>
    way === 'direct' ? '' : number(median(within('direct', (mine, its) => median(of(mine)) - median(of(its)))))
  const ratios = within('pipe', (mine, its) => mine.perSecond / its.perSecond)
  const remembered = own.flatMap((one) => one.remembered ?? [])
  const left = own.flatMap((one) => one.left ?? [])
  return `| ${[
    kind,
    way,
    number(median(own.map(({ last }) => median(last)))),
    added(({ first }) => first),
    added(({ last }) => last),
    number(median(own.map(({ last }) => quantile(last, 0.99)))),
    median(own.map(({ perSecond }) => perSecond)).toFixed(0),
    `${number(median(ratios))} (${number(Math.min(...ratios))}–${number(Math.max(...ratios))})`,
    median(own.map(({ cpuMs }) => cpuMs)).toFixed(3),
    remembered.length > 0 ? `${(100 * median(remembered)).toFixed(0)} %` : '',
    left.length > 0 ? Math.max(...left) : '',
  ].join(' | ')} |`
}

function number(value: number): string {
  return Number.isFinite(value) ? value.toFixed(2) : ''
}

function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
