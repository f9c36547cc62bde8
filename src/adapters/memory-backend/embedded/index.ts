import { randomBytes } from 'node:crypto'
import type { Database } from '../../../db/database.ts'
import type { BackendHealth, BackendSession, MemoryBackend } from '../../../ports/memory-backend.ts'
import { addMessages } from './buffer-messages.ts'
import { asBackendError, throwIfGivenUp } from './database-fault.ts'
import { extractMemories } from './extract-memories.ts'
import { deleteAll, type EngineSession, knownTimestamps, ping } from './queries.ts'
import { createFileReader, type FileReader, type ReaderLogger, type ReaderOptions } from './reading/file-reader.ts'
import { searchMemories } from './search-memories.ts'

export interface EmbeddedBackendOptions {
  readonly db: Database
  readonly logger?: ReaderLogger
  /** How files are read; the defaults are those of `ReaderOptions`. */
  readonly reading?: ReaderOptions
}

const HEALTH_TIMEOUT_MS = 1_500
/** A server ends a statement after this long (`statement_timeout`), whether its client is still there or not. */
const SETTLE_MS = 10_000

function requestId(): string {
  return randomBytes(16).toString('hex')
}

/** Only these three: a caller's object may carry more, and goes into statements. */
function named({ projectId, senderId, sessionId }: BackendSession): EngineSession {
  return { projectId, senderId, sessionId }
}

async function attempt<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw asBackendError(error)
  }
}

async function askDatabase(db: Database): Promise<BackendHealth> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'unavailable'>((resolve) => {
    timer = setTimeout(resolve, HEALTH_TIMEOUT_MS, 'unavailable')
  })
  const answer = ping(db).then(
    () => 'ok' as const,
    () => 'unavailable' as const,
  )
  const status = await Promise.race([answer, late])
  clearTimeout(timer)
  return { status, baseUrl: 'embedded', data: { status } }
}

/**
 * The memory backend inside this process, on the gateway's own database: keeps what was said and what files say, and
 * finds it by its words. Files are read in a process of their own, which starts with the first file and ends with
 * `close`.
 */
export function createEmbeddedBackend({ db, logger, reading }: EmbeddedBackendOptions): MemoryBackend {
  const reader: FileReader = createFileReader({ ...reading, ...(logger && { logger }) })
  return {
    name: 'embedded',
    settleMs: SETTLE_MS,
    extractsUnasked: false,
    health: () => askDatabase(db),
    add: (session, messages, signal) =>
      attempt(async () => {
        throwIfGivenUp(signal)
        await addMessages(db, reader, named(session), messages, signal)
        return { requestId: requestId(), messageCount: messages.length, status: 'accumulated' }
      }),
    flush: (session, signal) =>
      attempt(async () => {
        throwIfGivenUp(signal)
        const extracted = await extractMemories(db, named(session))
        return { requestId: requestId(), status: extracted > 0 ? 'extracted' : 'no_extraction' }
      }),
    search: (request, signal) =>
      attempt(async () => {
        throwIfGivenUp(signal)
        return await searchMemories(db, request)
      }),
    findMissing: (session, timestamps, signal) =>
      attempt(async () => {
        throwIfGivenUp(signal)
        const known = await knownTimestamps(db, named(session), timestamps)
        return timestamps.filter((timestamp) => !known.has(timestamp))
      }),
    forget: ({ projectId, senderId, sessionId }, signal) =>
      attempt(async () => {
        throwIfGivenUp(signal)
        await deleteAll(db, { projectId, senderId }, sessionId)
        return 'forgotten' as const
      }),
    close: () => reader.close(),
  }
}
