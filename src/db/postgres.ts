import { drizzle } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import type { DatabaseConnection, RunStatement } from './database.ts'
import { PostgresPool } from './postgres-pool.ts'
import * as schema from './schema/index.ts'

const OLDEST_MAJOR = 14
const CANCEL_AGAIN_MS = 500

/** A pool on a PostgreSQL server. Rejects with a message that names `DATABASE_URL` if it cannot be used. */
export async function openPostgres(options: { url: string; maxConnections: number }): Promise<DatabaseConnection> {
  const pool = new PostgresPool(options)
  // Before the first statement: it settles how values are read and written.
  const db = drizzle(pool.client, { schema })
  try {
    const [row] = await pool.query<{ version: string; number: number }>(
      `select current_setting('server_version') as version, current_setting('server_version_num')::int as number`,
    )
    if (!row || row.number < OLDEST_MAJOR * 10_000) {
      throw new Error(`DATABASE_URL: PostgreSQL ${OLDEST_MAJOR} or newer is needed, the server is ${row?.version}.`)
    }
    return {
      kind: 'postgres',
      db,
      version: row.version,
      ping: async () => {
        await pool.query('select 1')
      },
      withOwnSession: (work, signal) => withOwnSession(options.url, work, signal),
      close: () => pool.close(),
    }
  } catch (error) {
    await pool.close()
    if (error instanceof Error && error.message.startsWith('DATABASE_URL')) throw error
    throw new Error(
      `DATABASE_URL: cannot use the PostgreSQL server (${error instanceof Error ? error.message : String(error)}).`,
      {
        cause: error,
      },
    )
  }
}

/** Without the pool's limit for a statement. */
async function withOwnSession<T>(
  url: string,
  work: (run: RunStatement) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  await using session = openSession(url)
  let running: ReturnType<typeof session.sql.unsafe> | undefined
  let again: NodeJS.Timeout | undefined
  const [own] = await session.sql.unsafe<{ pid: number }[]>('select pg_backend_pid() as pid')
  const stop = () => {
    running?.cancel()
    // What reaches the server before its statement does is lost.
    again = setInterval(() => void cancel(url, own?.pid ?? 0).catch(() => {}), CANCEL_AGAIN_MS)
  }
  signal?.addEventListener('abort', stop)
  try {
    return await work(async <Row>(statement: string) => {
      signal?.throwIfAborted()
      running = session.sql.unsafe(statement)
      return [...(await running)] as Row[]
    })
  } finally {
    signal?.removeEventListener('abort', stop)
    clearInterval(again)
  }
}

async function cancel(url: string, pid: number): Promise<void> {
  await using session = openSession(url)
  await session.sql.unsafe(`select pg_cancel_backend(${pid})`)
}

function openSession(url: string) {
  const sql = postgres(url, {
    max: 1,
    connect_timeout: 5,
    fetch_types: false,
    onnotice: () => {},
    connection: { application_name: 'memory-gateway upkeep' },
  })
  return { sql, [Symbol.asyncDispose]: () => sql.end({ timeout: 5 }) }
}
