import { comparisonsOf, type Judged, nameOf, valuesOf } from './compare.ts'
import { type Comparison, type Load, type Sample, VALUES, type Value } from './load.ts'
import type { Result } from './results.ts'
import { figure, spread } from './statistics.ts'

export function reportOf(loads: readonly Load[], results: Readonly<Record<string, Result>>, name: string): string {
  const parts = loads.flatMap((load) => {
    const result = results[load.id]
    return result ? [partOf(load, result, name)] : []
  })
  return `# ${name === 'quick' ? 'Quick run: shows that the benchmarks work, measures nothing' : 'Benchmarks, last run'}

Medians of the rounds, the range of those in brackets. What is compared is compared within each round: × is a ratio, "added" a difference. CPU time is of the process that was called, for each request.
[docs/performance.md](../../docs/performance.md) says what is measured, and how to repeat it.

${parts.join('\n')}`
}

function partOf(load: Load, result: Result, name: string): string {
  const skipped = result.skipped.map((line) => `- Left out: ${line}\n`).join('')
  const chart = load.chart ? `![${load.title}](${name}.${load.id.toLowerCase()}.svg)\n` : ''
  return `## ${load.id}. ${load.title}

${load.about}

${result.measuredAt}, ${result.rounds} rounds in ${Math.round(result.seconds)} s; ${result.machine}.
${skipped}
${tableOf(load, result.samples)}
${chart}
${goalsOf(result.goals)}`
}

function tableOf({ shown, compared }: Load, samples: readonly Sample[]): string {
  const columns: (Value | Comparison)[] = [...shown, ...compared]
  const cellOf = (where: { case: string; way: string }, column: Value | Comparison) =>
    spread(typeof column === 'string' ? valuesOf(samples, where, column) : comparisonsOf(samples, where, column))
  const places = placesOf(samples)
  const used = columns.filter((column) => places.some((place) => cellOf(place, column) !== ''))
  const rows = places.map((place) => [place.case, place.way, ...used.map((column) => cellOf(place, column))])
  return table(['', '', ...used.map((column) => nameOf(column, VALUES))], rows)
}

/** Cases in the order in which they came, and the ways of each. */
function placesOf(samples: readonly Sample[]): { case: string; way: string }[] {
  const ways = [...new Set(samples.map(({ way }) => way))]
  return [...new Set(samples.map((sample) => sample.case))].flatMap((name) =>
    ways
      .filter((way) => samples.some((sample) => sample.case === name && sample.way === way))
      .map((way) => ({ case: name, way })),
  )
}

function goalsOf(goals: readonly Judged[]): string {
  if (goals.length === 0) return ''
  const rows = goals.map((goal) => [
    goal.case,
    goal.way,
    nameOf(goal.of, VALUES),
    [goal.atLeast === undefined ? '' : `≥ ${goal.atLeast}`, goal.atMost === undefined ? '' : `≤ ${goal.atMost}`].join(
      '',
    ),
    goal.measured === undefined ? '' : figure(goal.measured),
    goal.isMet === undefined ? 'not measured' : goal.isMet ? 'met' : '**missed**',
  ])
  return table(['goal for', 'way', 'of', '', 'measured', ''], rows)
}

export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |\n`
  return line(heads) + `|${heads.map(() => '---|').join('')}\n` + rows.map(line).join('')
}
