import { drizzle } from 'drizzle-orm/postgres-js'
import type { DatabaseConnection } from './database.ts'
import { PostgresPool } from './postgres-pool.ts'
import * as schema from './schema/index.ts'

const OLDEST_MAJOR = 14

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
