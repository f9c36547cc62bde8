import { availableParallelism, loadavg } from 'node:os'
import type { Added, AddResult } from './adder.ts'
import type { Asked, AskResult } from './asker.ts'
import type { Sizes, Spread } from './load.ts'
import type { PlaceOf } from './place.ts'
import { QUERY_KINDS, type QueryKind } from './texts.ts'
import { WAY_NAMES, type WayName } from './ways.ts'

type Kind = PlaceOf['kind']

/** What was added to one database. */
export interface Taken {
  readonly kind: Kind
  readonly atATime: number
  readonly result: AddResult
}

/** What was searched in one database. */
export interface Filled {
  readonly kind: Kind
  readonly spread: Spread
  readonly fillMs: number
  readonly sizes: Sizes
  readonly result: AskResult
}

const NAMES: Readonly<Record<Kind, string>> = { postgres: 'PostgreSQL', pglite: 'PGlite' }

export function reportOf(all: {
  readonly takes: readonly Taken[]
  readonly fills: readonly Filled[]
  readonly plans: readonly string[]
  readonly settings: string
}): string {
  const load = loadavg()
    .map((one) => one.toFixed(1))
    .join(', ')
  return `# What the embedded engine does in a second

${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC, Node ${process.versions.node}, ${availableParallelism()} cores, load averages ${load} at the end. ${all.settings}.
Medians of the rounds, the range of those in brackets; CPU time of both processes for one turn or search. [docs/performance.md](../../docs/performance.md#the-embedded-engine) says what was measured, and how to repeat it.

## Adding and extracting

| database | sessions at a time | way | turns/s | turns per CPU second | CPU ms: gateway | server | bytes a memory | longest stall, ms |
|---|---|---|---|---|---|---|---|---|
${all.takes.flatMap(takenRows).join('\n')}

## Searching

| database | memories | users | way | p50 ms | p95 ms | p95 x engine's | CPU ms: gateway | server | the turn asked for found |
|---|---|---|---|---|---|---|---|---|---|
${all.fills.flatMap(searchRows).join('\n')}

The engine's p95 by kind of question, ms:

| database | memories | users | ${QUERY_KINDS.join(' | ')} |
|---|---|---|${QUERY_KINDS.map(() => '---|').join('')}
${all.fills.map(kindRow).join('\n')}

## Size

| database | memories | users | bytes a memory, with indexes | table and its indexes, MB | the reference's, MB | opened in, ms | resident, MB | at most | longest stall, ms |
|---|---|---|---|---|---|---|---|---|---|
${all.fills.map(sizeRow).join('\n')}
${all.plans.length > 0 ? `\n## Plans\n\nWhat the largest was searched by (the server's plan for any values, run once):\n\n| users | question | statement | scans | ms |\n|---|---|---|---|---|\n${all.plans.join('\n')}\n` : ''}`
}

function takenRows({ kind, atATime, result }: Taken): string[] {
  return (['engine', 'plain insert'] as const).map((way) => {
    const own = result.added.filter((added) => added.way === way)
    const over = (of: (added: Added) => number, digits: number) => spread(own.map(of), digits)
    const isEngine = way === 'engine'
    return cells([
      NAMES[kind],
      atATime,
      way,
      over(({ turns, ms }) => (1_000 * turns) / ms, 0),
      over(({ turns, ownCpuMs, serverCpuMs }) => (1_000 * turns) / (ownCpuMs + serverCpuMs), 0),
      over(({ turns, ownCpuMs }) => ownCpuMs / turns, 2),
      over(({ turns, serverCpuMs }) => serverCpuMs / turns, 2),
      isEngine ? Math.round(result.bytesPerMemory) : '',
      isEngine ? Math.round(result.stallMs) : '',
    ])
  })
}

function searchRows({ kind, spread: { memories, users }, result }: Filled): string[] {
  const p95 = (way: WayName) => roundsOf(result, way).map((round) => quantile(timesOf(round), 0.95))
  const engine = median(p95('engine'))
  return WAY_NAMES.flatMap((way) => {
    const own = roundsOf(result, way)
    if (own.length === 0) return []
    const perSearch = (of: (asked: Asked) => number) =>
      number(median(own.map((asked) => of(asked) / asked.times.length)), 1)
    const sum = (of: (asked: Asked) => number) => own.reduce((all, asked) => all + of(asked), 0)
    return cells([
      NAMES[kind],
      memories,
      users,
      way,
      spread(
        own.map((round) => median(timesOf(round))),
        1,
      ),
      spread(p95(way), 1),
      number(median(p95(way)) / engine, 1),
      perSearch(({ ownCpuMs }) => ownCpuMs),
      perSearch(({ serverCpuMs }) => serverCpuMs),
      `${sum(({ found }) => found)} of ${sum(({ findable }) => findable)}`,
    ])
  })
}

function kindRow({ kind, spread: { memories, users }, result }: Filled): string {
  const times = roundsOf(result, 'engine').flatMap((round) => round.times)
  const p95 = (asked: QueryKind) =>
    number(
      quantile(
        times.flatMap((time) => (time.kind === asked ? [time.ms] : [])),
        0.95,
      ),
      1,
    )
  return cells([NAMES[kind], memories, users, ...QUERY_KINDS.map(p95)])
}

function sizeRow({ kind, spread: { memories, users }, sizes, result }: Filled): string {
  const mine = Object.entries(sizes.relations).filter(([name]) => name.startsWith('engine_'))
  const others = Object.entries(sizes.relations).filter(([name]) => name.startsWith('plain'))
  const total = (relations: [string, number][]) => relations.reduce((sum, [, bytes]) => sum + bytes, 0)
  const each = mine.map(
    ([name, bytes]) => `${name.replace('engine_memories', '').replace(/^_|_idx$/g, '') || 'table'} ${megabytes(bytes)}`,
  )
  return cells([
    NAMES[kind],
    memories,
    users,
    Math.round(total(mine) / sizes.rows),
    `${megabytes(total(mine))}: ${each.join(', ')}`,
    megabytes(total(others)),
    Math.round(result.openMs),
    Math.round(result.residentMb),
    Math.round(result.peakMb),
    Math.round(result.stallMs),
  ])
}

const roundsOf = (result: AskResult, way: WayName) => result.asked.filter((asked) => asked.way === way)
const timesOf = (asked: Asked) => asked.times.map(({ ms }) => ms)
const cells = (values: readonly (string | number)[]) => `| ${values.join(' | ')} |`
const megabytes = (bytes: number) => number(bytes / 1e6, bytes < 1e7 ? 1 : 0)

function spread(values: readonly number[], digits: number): string {
  return `${number(median(values), digits)} (${number(Math.min(...values), digits)}–${number(Math.max(...values), digits)})`
}

function number(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : ''
}

function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
