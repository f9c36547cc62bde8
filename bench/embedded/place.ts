import { readFileSync } from 'node:fs'
import { sql } from 'drizzle-orm'
import { createEmbeddedBackend } from '../../src/adapters/memory-backend/embedded/index.ts'
import type { Database } from '../../src/db/database.ts'
import { openPglite } from '../../src/db/pglite.ts'
import { openPostgres } from '../../src/db/postgres.ts'
import type { MemoryBackend } from '../../src/ports/memory-backend.ts'

/** Where a database is: a PostgreSQL server, or a folder of PGlite. */
export type PlaceOf =
  | { readonly kind: 'postgres'; readonly url: string }
  | { readonly kind: 'pglite'; readonly dataDir: string }

/** An open database with the engine on it. */
export interface Place {
  readonly db: Database
  readonly backend: MemoryBackend
  readonly version: string
  run(statement: string): Promise<Record<string, unknown>[]>
  /** CPU time that the server has spent for this process so far; 0 where there is no server, NaN where it is on another machine. */
  serverCpuMs(): Promise<number>
  close(): Promise<void>
}

/** As a gateway has by default. */
const CONNECTIONS = 10
const TICK_MS = 10

export async function openPlace(where: PlaceOf): Promise<Place> {
  const connection =
    where.kind === 'postgres'
      ? await openPostgres({ url: where.url, maxConnections: CONNECTIONS })
      : await openPglite({ dataDir: where.dataDir })
  const { db } = connection
  const backend = createEmbeddedBackend({ db })
  const run = async (statement: string) => rowsOf(await db.execute(sql.raw(statement)))
  return {
    db,
    backend,
    version: connection.version,
    run,
    serverCpuMs: async () => (where.kind === 'postgres' ? processorTime(await run(SERVER_PROCESSES)) : 0),
    close: async () => {
      await backend.close()
      await connection.close()
    },
  }
}

const SERVER_PROCESSES = 'select pid from pg_stat_activity where datname = current_database()'

/** The two drivers answer in different forms. */
export function rowsOf(answer: unknown): Record<string, unknown>[] {
  return (Array.isArray(answer) ? answer : (answer as { rows: unknown[] }).rows) as Record<string, unknown>[]
}

function processorTime(rows: readonly Record<string, unknown>[]): number {
  try {
    return rows.reduce((sum, { pid }) => sum + cpuMsOf(String(pid)), 0)
  } catch {
    return Number.NaN
  }
}

/** User and system time of a process. */
function cpuMsOf(pid: string): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS
}

export function ownCpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}
