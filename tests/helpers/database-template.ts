import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { migratePglite } from '../../src/db/migrate.ts'
import { openPglite } from '../../src/db/pglite.ts'

const cache = 'node_modules/.cache/memory-gateway'

/** Where the migrated, empty PGlite is kept: initdb takes seconds, loading a dump does not. */
export function templatePath(): string {
  const hash = createHash('sha256').update(readFileSync('node_modules/@electric-sql/pglite/package.json'))
  for (const file of readdirSync('drizzle').filter((name) => name.endsWith('.sql')).toSorted()) {
    hash.update(readFileSync(join('drizzle', file)))
  }
  return join(cache, `pglite-${hash.digest('hex').slice(0, 16)}.tar`)
}

/** Vitest global set-up: makes the template if these migrations have none yet. */
export default async function setup(): Promise<void> {
  const path = templatePath()
  if (existsSync(path)) return
  rmSync(cache, { recursive: true, force: true })
  mkdirSync(cache, { recursive: true })
  const database = await openPglite({})
  await migratePglite(database.client)
  const dump = await database.client.dumpDataDir('none')
  writeFileSync(`${path}.part`, Buffer.from(await dump.arrayBuffer()))
  renameSync(`${path}.part`, path)
  await database.close()
}
