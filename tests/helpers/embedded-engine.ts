import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { createEmbeddedBackend } from '../../src/adapters/memory-backend/embedded/index.ts'
import type { DatabaseConnection } from '../../src/db/database.ts'
import type { BackendSession, MemoryBackend } from '../../src/ports/memory-backend.ts'
import { openTestDatabase } from './test-database.ts'

export interface TestEngine {
  readonly database: DatabaseConnection
  readonly backend: MemoryBackend
}

const random = () => randomBytes(8).toString('hex')

/** An embedded backend without models, on a database of its own, for the tests of a file: there once they begin. */
export function engineOfFile(): TestEngine {
  const engine = {} as { -readonly [Part in keyof TestEngine]: TestEngine[Part] }
  let directory: string
  beforeAll(async () => {
    engine.database = await openTestDatabase()
    directory = await mkdtemp(join(tmpdir(), 'embedded-engine-test-'))
    engine.backend = createEmbeddedBackend({ db: engine.database.db, reading: { directory } })
  })
  afterAll(async () => {
    await engine.backend.close()
    await rm(directory, { recursive: true })
    await engine.database.close()
  })
  return engine
}

export function newEngineSession(): BackendSession {
  return { projectId: `p${random()}`, senderId: `u${random()}`, sessionId: `s${random()}` }
}
