import { loadConfig } from '../src/config/config.ts'
import { readEnv } from '../src/config/env.ts'
import { migratePglite, migratePostgres } from '../src/db/migrate.ts'
import { openPglite } from '../src/db/pglite.ts'

const { database } = loadConfig(readEnv())
if (database.kind === 'postgres') {
  await migratePostgres(database.url)
} else {
  const connection = await openPglite({ dataDir: database.dir })
  await migratePglite(connection.client)
  await connection.close()
}
console.log(`The ${database.kind === 'postgres' ? 'PostgreSQL' : 'embedded'} database is up to date.`)
