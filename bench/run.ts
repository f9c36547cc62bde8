import { parseArgs } from 'node:util'
import type { Bench, Load } from './harness/load.ts'
import { keepResults, machineWith } from './harness/results.ts'
import { dropSites, postgresVersion, SERVER_URL } from './harness/site.ts'
import { chats } from './loads/chats.ts'
import { chatsWithMemory } from './loads/chats-with-memory.ts'
import { engine } from './loads/engine.ts'
import { everos } from './loads/everos.ts'
import { memories } from './loads/memories.ts'
import { starts } from './loads/starts.ts'
import { uploads } from './loads/uploads.ts'

// What the gateway costs, beside the limits of the machine and other products, in the same run.
//   node bench/run.ts [A B …] [--rounds 3] [--quick] [--database PostgreSQL|PGlite] [--beside /path/to/another/checkout] [--node-flags='--cpu-prof --cpu-prof-dir=/tmp/profiles']
// PostgreSQL is that of DATABASE_URL, or on 127.0.0.1:5432; databases are made there, and dropped at the end. docs/performance.md says more.

const LOADS: readonly Load[] = [uploads, memories, chats, chatsWithMemory, engine, starts, everos]

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    database: { type: 'string' },
    beside: { type: 'string' },
    'node-flags': { type: 'string', default: '' },
  },
})
const chosen = LOADS.filter(({ id }) => positionals.length === 0 || positionals.includes(id))
const version = await postgresVersion()
const databases = (['PostgreSQL', 'PGlite'] as const).filter(
  (kind) => (kind === 'PGlite' || version !== undefined) && (values.database ?? kind) === kind,
)
const unknown = positionals.filter((name) => !LOADS.some(({ id }) => id === name))
const rounds = Number(values.rounds ?? (values.quick ? 1 : 3))
if (unknown.length > 0 || !(rounds >= 1) || databases.length === 0) {
  process.stderr.write(
    `Loads: ${LOADS.map(({ id, title }) => `${id} (${title})`).join(', ')}. Rounds: 1 or more. Databases: PGlite, and PostgreSQL where it answers.\n`,
  )
  process.exit(2)
}
const isQuick = values.quick
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void dropSites().finally(() => process.exit(1)))
}

for (const load of chosen) {
  const skipped: string[] = []
  const bench: Bench = {
    rounds,
    isQuick,
    databases,
    beside: values.beside,
    nodeFlags: values['node-flags'].split(' ').filter(Boolean),
    progress: (line) => process.stderr.write(`${load.id} ${load.title}: ${line}\n`),
    skip: (what, why) => {
      skipped.push(`${what}: ${why}`)
      process.stderr.write(`${load.id} skipped ${what}: ${why}\n`)
    },
  }
  if (version === undefined) bench.skip('PostgreSQL', `${new URL(SERVER_URL).host} does not answer`)
  const began = performance.now()
  try {
    const samples = await load.run(bench)
    const seconds = (performance.now() - began) / 1_000
    const machine = machineWith(version === undefined ? [] : [`PostgreSQL ${version}`])
    keepResults(LOADS, load, { machine, samples, skipped, rounds: bench.rounds, seconds, isQuick })
  } catch (error) {
    process.exitCode = 1
    process.stderr.write(`${load.id} ${load.title} failed: ${error instanceof Error ? error.stack : String(error)}\n`)
  }
}
