import { randomBytes } from 'node:crypto'
import postgres from 'postgres'
import type { DatabaseConnection } from '../../src/db/database.ts'
import { openPostgres } from '../../src/db/postgres.ts'
import { openTemplate, postgresTemplate } from './database-template.ts'

/** A server on which tests may create databases, or undefined: then they run on PGlite. */
export const testDatabaseUrl = process.env.TEST_DATABASE_URL

/** Creates a database on the test server, empty or as its template; returns its URL and what drops it. */
export async function createPostgresDatabase(
  serverUrl: string,
  template = 'template1',
): Promise<{ url: string; drop: () => Promise<void> }> {
  const name = `gateway_test_${process.env.GATEWAY_TEST_RUN}_${randomBytes(6).toString('hex')}`
  const admin = postgres(serverUrl, { max: 1, onnotice: () => {} })
  await admin.unsafe(`create database ${name} template ${template}`)
  await admin.end()
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  return {
    url: url.href,
    drop: async () => {
      const again = postgres(serverUrl, { max: 1, onnotice: () => {} })
      await again.unsafe(`drop database if exists ${name} with (force)`)
      await again.end()
    },
  }
}

/** A migrated, empty database: PGlite in memory, or a new one on the server that TEST_DATABASE_URL names. */
export async function openTestDatabase(): Promise<DatabaseConnection> {
  if (!testDatabaseUrl) return openTemplate()
  const { url, drop } = await createPostgresDatabase(testDatabaseUrl, postgresTemplate())
  const connection = await openPostgres({ url, maxConnections: 5 })
  return {
    ...connection,
    close: async () => {
      await connection.close()
      await drop()
    },
  }
}
