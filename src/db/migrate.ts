import { fileURLToPath } from 'node:url'
import type { PGlite } from '@electric-sql/pglite'

// Each loads its own driver: a process needs one of them.

const migrationsFolder = fileURLToPath(new URL('../../drizzle', import.meta.url))

/** Any fixed number: all gateways that migrate one database meet at it. */
const MIGRATION_LOCK = 7_410_250_311

/** Brings the server's schema up to date. Drizzle takes no lock itself: replicas that start together wait here. */
export async function migratePostgres(url: string): Promise<void> {
  const [{ default: postgres }, { drizzle }, { migrate }] = await Promise.all([
    import('postgres'),
    import('drizzle-orm/postgres-js'),
    import('drizzle-orm/postgres-js/migrator'),
  ])
  const sql = postgres(url, {
    max: 1,
    connect_timeout: 5,
    onnotice: () => {},
    connection: { application_name: 'memory-gateway migration' },
  })
  try {
    await sql`select pg_advisory_lock(${MIGRATION_LOCK})`
    await migrate(drizzle(sql), { migrationsFolder })
  } finally {
    await sql.end({ timeout: 5 })
  }
}

/** Brings an embedded database up to date; its directory lock keeps others out. */
export async function migratePglite(client: PGlite): Promise<void> {
  const [{ drizzle }, { migrate }] = await Promise.all([
    import('drizzle-orm/pglite'),
    import('drizzle-orm/pglite/migrator'),
  ])
  await migrate(drizzle(client), { migrationsFolder })
}
