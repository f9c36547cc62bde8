import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Bench, Goal, Load, Sample, Value } from '../harness/load.ts'
import { watched } from '../harness/processes.ts'
import { SERVER_URL } from '../harness/site.ts'

/** The larger on PostgreSQL alone. More take longer than all other loads together: `node bench/embedded.ts` has them. */
const SIZES = [10_000, 100_000]
const LONGEST_MS = 900_000
const P95 = [
  [10_000, 25],
  [100_000, 40],
  [1_000_000, 80],
] as const

export const engine: Load = {
  id: 'E',
  title: 'The embedded engine',
  about:
    'bench/embedded.ts in a small form: turns that are added and extracted in a second, and searches as memories grow, beside a ts_rank query over a GIN index and a sequential scan on the same texts. CPU time is of the process and of the database server together.',
  shown: ['perSecond', 'p50', 'p95', 'cpuMs'],
  compared: [{ value: 'p95', by: 'x', to: 'ts_rank, PostgreSQL' }],
  goals: P95.flatMap(([memories, atMost]) =>
    [1, 1_000].map((users): Goal => ({ case: nameOf(memories, users), way: 'engine, PostgreSQL', of: 'p95', atMost })),
  ),
  chart: { value: 'p95', by: 'x', to: 'ts_rank, PostgreSQL' },
  run,
}

function nameOf(memories: number, users: number): string {
  return `${memories} memories of ${users}`
}

async function run(bench: Bench): Promise<Sample[]> {
  const sizes = bench.isQuick ? [1_000] : SIZES
  const env = {
    ...process.env,
    DATABASE_URL: bench.databases.includes('PostgreSQL') ? SERVER_URL : '',
    BENCH_ONLY:
      bench.databases.length > 1 ? '' : String(bench.databases[0]).toLowerCase().replace('postgresql', 'postgres'),
    BENCH_PGLITE_MOST: '10000',
    BENCH_ROUNDS: String(Math.min(2, bench.rounds)),
  }
  const program = [`${import.meta.dirname}/../embedded.ts`, ...sizes.map(String)]
  const options = { env, timeout: LONGEST_MS, maxBuffer: 1 << 26 }
  const running = promisify(execFile)(process.execPath, program, options)
  watched(running.child)
  return samplesOf((await running).stdout)
}

/** The rows of its report, whose figures are medians of its own rounds. */
function samplesOf(report: string): Sample[] {
  const rows = report.split('\n').map((line) => line.split('|').map((cell) => cell.trim()))
  const sample = (name: string, way: string, values: Partial<Record<Value, number>>) => [
    { case: name, way, round: 0, values },
  ]
  return rows.flatMap(([, database = '', ...cells]) => {
    if (database !== 'PostgreSQL' && database !== 'PGlite') return []
    const figure = (at: number) => Number.parseFloat(cells[at] ?? '') || 0
    const [first = '', second = '', third = ''] = cells
    if (/^(engine|ts_rank|sequential scan)$/.test(third)) {
      const values = { p50: figure(3), p95: figure(4), cpuMs: figure(6) + figure(7) }
      return sample(nameOf(Number(first), Number(second)), `${third}, ${database}`, values)
    }
    if (/^(engine|plain insert)$/.test(second)) {
      const values = { perSecond: figure(2), cpuMs: figure(4) + figure(5) }
      return sample(`turns added, ${first} at a time`, `${second}, ${database}`, values)
    }
    return []
  })
}
