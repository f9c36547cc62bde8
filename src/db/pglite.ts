import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { PGlite } from '@electric-sql/pglite'
import { vector } from '@electric-sql/pglite-pgvector'
import { drizzle } from 'drizzle-orm/pglite'
import type { DatabaseConnection } from './database.ts'
import { lockDirectory } from './directory-lock.ts'
import { keepRows } from './kept-rows.ts'
import { parsers, prepareStatements } from './pglite-statements.ts'
import * as schema from './schema/index.ts'

export interface PgliteConnection extends DatabaseConnection {
  readonly kind: 'pglite'
  readonly client: PGlite
}

/**
 * For one function of PGlite, of 105 kB, V8's optimising compiler takes a second of processor time and 600 MB, in each process. Without it
 * small queries cost what they did, those that read thousands of rows a third more.
 */
const UNOPTIMISED = ['--liftoff-only', '--no-wasm-tier-up', '--no-wasm-dynamic-tiering']

/**
 * PostgreSQL inside this process, on a directory that it locks first. It survives the death of the process, but does not
 * fsync: not the loss of power. `dataDir` undefined keeps everything in memory; `loadDataDir` starts from a dump.
 */
export async function openPglite(options: { dataDir?: string; loadDataDir?: Blob }): Promise<PgliteConnection> {
  let release = () => {}
  if (options.dataDir) {
    makeDirectory(options.dataDir)
    release = lockDirectory(join(options.dataDir, 'gateway.lock'))
  }
  try {
    for (const flag of UNOPTIMISED) setFlagsFromString(flag)
    const client = await PGlite.create({
      ...(options.dataDir && { dataDir: join(options.dataDir, 'pgdata') }),
      ...(options.loadDataDir && { loadDataDir: options.loadDataDir }),
      // Always: once its index is there, the table cannot be read without it.
      extensions: { vector },
      parsers,
      postgresqlconf: ['shared_buffers=16MB'],
    })
    prepareStatements(client)
    const db = drizzle(client, { schema })
    keepRows(db, client)
    const { rows } = await client.query<{ version: string }>(`select current_setting('server_version') as version`)
    return {
      kind: 'pglite',
      client,
      db,
      version: rows[0]?.version ?? '?',
      ping: async () => {
        await client.query('select 1')
      },
      withOwnSession: (work) =>
        work(async <Row>(statement: string) => (await client.query<Row>(statement.replace(' concurrently', ''))).rows),
      close: async () => {
        if (!client.closed) await client.close()
        release()
      },
    }
  } catch (error) {
    release()
    throw error
  }
}

function makeDirectory(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true })
  } catch (error) {
    throw new Error(
      `STORAGE_DIR: cannot make the folder ${dir} (${error instanceof Error ? error.message : String(error)}).`,
      {
        cause: error,
      },
    )
  }
}
