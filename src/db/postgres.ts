import { drizzle } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import type { DatabaseConnection } from './database.ts'
import * as schema from './schema/index.ts'

const OLDEST_MAJOR = 14

/** A pool on a PostgreSQL server. Rejects with a message that names `DATABASE_URL` if it cannot be used. */
export async function openPostgres(options: { url: string; maxConnections: number }): Promise<DatabaseConnection> {
  const sql = postgres(options.url, {
    max: options.maxConnections,
    connect_timeout: 5,
    idle_timeout: 300,
    onnotice: () => {},
    connection: {
      application_name: 'memory-gateway',
      statement_timeout: 10_000,
      idle_in_transaction_session_timeout: 10_000,
    },
  })
  try {
    const [row] = await sql<{ version: string; number: number }[]>`
      select current_setting('server_version') as version, current_setting('server_version_num')::int as number`
    if (!row || row.number < OLDEST_MAJOR * 10_000) {
      throw new Error(`DATABASE_URL: PostgreSQL ${OLDEST_MAJOR} or newer is needed, the server is ${row?.version}.`)
    }
    return {
      kind: 'postgres',
      db: drizzle(sql, { schema }),
      version: row.version,
      ping: async () => {
        await sql`select 1`
      },
      close: () => sql.end({ timeout: 5 }),
    }
  } catch (error) {
    await sql.end({ timeout: 0 })
    if (error instanceof Error && error.message.startsWith('DATABASE_URL')) throw error
    throw new Error(
      `DATABASE_URL: cannot use the PostgreSQL server (${error instanceof Error ? error.message : String(error)}).`,
      {
        cause: error,
      },
    )
  }
}
