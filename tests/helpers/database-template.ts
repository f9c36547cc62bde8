import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import postgres from 'postgres'
import type { DatabaseConnection } from '../../src/db/database.ts'
import { migratePglite, migratePostgres } from '../../src/db/migrate.ts'
import { openPglite, type PgliteConnection } from '../../src/db/pglite.ts'
import { openPostgres } from '../../src/db/postgres.ts'
import { startQueue } from '../../src/jobs/queue.ts'
import { createLogger } from '../../src/observability/logger.ts'

const cache = 'node_modules/.cache/memory-gateway'

/** Where the migrated, empty PGlite with the tables of the job queue is kept: making them takes seconds, loading a dump does not. */
export function templatePath(): string {
  const hash = createHash('sha256')
  const migrations = readdirSync('drizzle').filter((name) => name.endsWith('.sql'))
  for (const file of [
    'node_modules/@electric-sql/pglite/package.json',
    'node_modules/pg-boss/package.json',
    'src/jobs/queue.ts',
    'tests/helpers/database-template.ts',
    ...migrations.toSorted().map((name) => join('drizzle', name)),
  ]) {
    hash.update(readFileSync(file))
  }
  return join(cache, `pglite-${hash.digest('hex').slice(0, 16)}.tar`)
}

/** What PGlite loads, from memory that it only reads. A Blob of its own would copy all of it at each start, three times. */
class Dump extends Blob {
  readonly #bytes: ArrayBuffer
  constructor(bytes: ArrayBuffer) {
    super([])
    this.#bytes = bytes
  }
  override arrayBuffer(): Promise<ArrayBuffer> {
    return Promise.resolve(this.#bytes)
  }
}

let dump: Dump | undefined

/** A migrated, empty PGlite in memory, of its own. */
export function openTemplate(): Promise<PgliteConnection> {
  dump ??= new Dump(new Uint8Array(readFileSync(templatePath())).buffer)
  return openPglite({ loadDataDir: dump })
}

/** The database on the test server that others of this run are copied from, migrated and empty too. */
export const postgresTemplate = () => `gateway_test_${process.env.GATEWAY_TEST_RUN}_template`

/** Puts the migrated, empty database where a gateway with this STORAGE_DIR looks for its own. */
export function placeTemplate(storageDir: string): void {
  const pgdata = join(storageDir, 'database', 'pgdata')
  mkdirSync(pgdata, { recursive: true })
  execFileSync('tar', ['-xPf', templatePath(), '--exclude=*postmaster.pid', '-C', pgdata, '--transform=s,^/,,'])
}

/** Vitest global set-up: makes the template if these migrations have none yet; the teardown drops the run's databases. */
export default async function setup(): Promise<() => Promise<void>> {
  process.env.GATEWAY_TEST_RUN = randomBytes(4).toString('hex')
  if (!existsSync(templatePath())) await makeTemplate(templatePath())
  const { TEST_DATABASE_URL: serverUrl } = process.env
  if (serverUrl) await makePostgresTemplate(serverUrl)
  return dropDatabases
}

async function makeTemplate(path: string): Promise<void> {
  mkdirSync(cache, { recursive: true })
  const database = await openPglite({})
  await migratePglite(database.client)
  await makeQueue(database, undefined)
  // Nobody makes databases from these; without them there is a third less to load.
  await database.client.query('update pg_database set datistemplate = false')
  for (const name of ['template0', 'template1']) await database.client.query(`drop database ${name}`)
  const dumped = await database.client.dumpDataDir('none')
  const part = `${path}.${process.pid}`
  writeFileSync(part, Buffer.from(await dumped.arrayBuffer()))
  renameSync(part, path)
  for (const name of readdirSync(cache)) {
    if (name.endsWith('.tar') && join(cache, name) !== path) rmSync(join(cache, name), { force: true })
  }
  await database.close()
}

async function makePostgresTemplate(serverUrl: string): Promise<void> {
  const admin = postgres(serverUrl, { max: 1, onnotice: () => {} })
  await admin.unsafe(`create database ${postgresTemplate()}`)
  await admin.end()
  const url = new URL(serverUrl)
  url.pathname = `/${postgresTemplate()}`
  await migratePostgres(url.href)
  const database = await openPostgres({ url: url.href, maxConnections: 1 })
  await makeQueue(database, url.href)
  await database.close()
}

async function makeQueue(database: DatabaseConnection, postgresUrl: string | undefined): Promise<void> {
  const log = createLogger({ level: 'silent', format: 'json' })
  const queue = await startQueue(database, { postgresUrl, pollSeconds: undefined, log })
  await queue.stop()
}

async function dropDatabases(): Promise<void> {
  const url = process.env.TEST_DATABASE_URL
  if (!url) return
  const admin = postgres(url, { max: 1, onnotice: () => {} })
  const rows = await admin<{ datname: string }[]>`
    select datname from pg_database where datname like ${`gateway_test_${process.env.GATEWAY_TEST_RUN}_%`}`
  for (const { datname } of rows) await admin.unsafe(`drop database if exists ${datname} with (force)`)
  await admin.end()
}
