import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os'
import { chartOf } from './chart.ts'
import { type Judged, judge } from './compare.ts'
import type { Load, Sample } from './load.ts'
import { reportOf } from './report.ts'

/** What a load came to, when and where. */
export interface Result {
  readonly measuredAt: string
  readonly machine: string
  readonly seconds: number
  readonly rounds: number
  readonly isQuick: boolean
  readonly samples: readonly Sample[]
  readonly skipped: readonly string[]
  readonly goals: readonly Judged[]
}

const FOLDER = `${import.meta.dirname}/../results`

/** Puts a load's result in the place of its last one, and writes the report and the charts anew. Quick runs have files of their own. */
export function keepResults(loads: readonly Load[], load: Load, taken: Omit<Result, 'measuredAt' | 'goals'>): void {
  const name = taken.isQuick ? 'quick' : 'latest'
  const file = `${FOLDER}/${name}.json`
  mkdirSync(FOLDER, { recursive: true })
  const before = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, Result>) : {}
  const measuredAt = `${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC`
  const goals = taken.isQuick ? [] : load.goals.map((goal) => judge(taken.samples, goal))
  const results: Record<string, Result> = { ...before, [load.id]: { measuredAt, ...taken, goals } }
  writeFileSync(file, `${JSON.stringify(results, null, 1)}\n`)
  writeFileSync(`${FOLDER}/${name}.md`, reportOf(loads, results, name))
  const svg = chartOf(load, taken.samples)
  if (svg) writeFileSync(`${FOLDER}/${name}.${load.id.toLowerCase()}.svg`, svg)
}

/** Now, with the versions of what is used. */
export function machineWith(versions: readonly string[]): string {
  const load = loadavg()
    .map((one) => one.toFixed(1))
    .join(', ')
  const memory = Math.round(totalmem() / 2 ** 30)
  return `${availableParallelism()} × ${cpus()[0]?.model ?? 'CPU'}, ${memory} GiB, ${type()} ${release()}, ${[`Node ${process.versions.node}`, ...versions].join(', ')}; load averages at the end ${load}`
}
