import type { DatabaseConnection } from '../../src/db/database.ts'
import { migratePostgres } from '../../src/db/migrate.ts'
import { openPostgres } from '../../src/db/postgres.ts'
import { createPostgresDatabase } from './test-database.ts'

/** A server with pgvector on which tests may create databases, or undefined. */
export const pgvectorUrl = process.env.TEST_PGVECTOR_URL

/** A migrated, empty database on it; dropped as it is closed. */
export async function openPgvectorDatabase(): Promise<DatabaseConnection> {
  if (!pgvectorUrl) throw new Error('TEST_PGVECTOR_URL is not set.')
  const { url, drop } = await createPostgresDatabase(pgvectorUrl)
  await migratePostgres(url)
  const connection = await openPostgres({ url, maxConnections: 5 })
  return {
    ...connection,
    close: async () => {
      await connection.close()
      await drop()
    },
  }
}
