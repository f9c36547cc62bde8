import { fileURLToPath } from 'node:url'
import type { PGlite } from '@electric-sql/pglite'
import { drizzle as drizzlePglite } from 'drizzle-orm/pglite'
import { migrate as migrateOnPglite } from 'drizzle-orm/pglite/migrator'
import { drizzle as drizzlePostgres } from 'drizzle-orm/postgres-js'
import { migrate as migrateOnPostgres } from 'drizzle-orm/postgres-js/migrator'
import postgres from 'postgres'

const migrationsFolder = fileURLToPath(new URL('../../drizzle', import.meta.url))

/** Any fixed number: all gateways that migrate one database meet at it. */
const MIGRATION_LOCK = 7_410_250_311

/** Brings the server's schema up to date. Drizzle takes no lock itself: replicas that start together wait here. */
export async function migratePostgres(url: string): Promise<void> {
  const sql = postgres(url, {
    max: 1,
    connect_timeout: 5,
    onnotice: () => {},
    connection: { application_name: 'memory-gateway migration' },
  })
  try {
    await sql`select pg_advisory_lock(${MIGRATION_LOCK})`
    await migrateOnPostgres(drizzlePostgres(sql), { migrationsFolder })
  } finally {
    await sql.end({ timeout: 5 })
  }
}

/** Brings an embedded database up to date; its directory lock keeps others out. */
export async function migratePglite(client: PGlite): Promise<void> {
  await migrateOnPglite(drizzlePglite(client), { migrationsFolder })
}
