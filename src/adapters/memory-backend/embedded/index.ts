import { randomBytes } from 'node:crypto'
import type { Database } from '../../../db/database.ts'
import type { EmbeddingModel } from '../../../ports/embedding-model.ts'
import type { BackendHealth, BackendSession, BackgroundProgress, MemoryBackend } from '../../../ports/memory-backend.ts'
import { addMessages } from './add-messages.ts'
import { asBackendError, throwIfGivenUp } from './database-fault.ts'
import { Embeddings, type WithOwnSession } from './embeddings/embeddings.ts'
import { createModelWork, type EngineModels } from './facts/engine-models.ts'
import { forgetAllFacts, forgetFacts } from './facts/forget-facts.ts'
import { composeBuffers, flushSession } from './flush-session.ts'
import { LongAdds } from './long-adds.ts'
import { deleteAll, type EngineSession, knownTimestamps, ping } from './queries.ts'
import { FileTurns } from './read-messages.ts'
import { createFileReader, type FileReader, type ReaderLogger, type ReaderOptions } from './reading/file-reader.ts'
import { refreshTerms } from './refresh-terms.ts'
import { searchMemories } from './search-memories.ts'

export interface EmbeddedBackendOptions {
  readonly db: Database
  readonly logger?: ReaderLogger
  /** How files are read; the defaults are those of `ReaderOptions`. */
  readonly reading?: ReaderOptions
  /** Undefined: what is said is kept, and no model is asked. */
  readonly models?: EngineModels | undefined
  /** Without it, searches go by words alone. Closed with the backend. */
  readonly embedding?: EmbeddingOptions
  /** Whether the process has more to do than it can: then what nobody waits for is done more slowly. */
  readonly isBusy?: () => boolean
}

export interface EmbeddingOptions {
  readonly model: EmbeddingModel
  /** Of the same database. */
  readonly withOwnSession: WithOwnSession
  /** False: pgvector is left alone, even if the database has it. */
  readonly usesExtension?: boolean
}

const HEALTH_TIMEOUT_MS = 1_500
/** A server ends a statement after this long (`statement_timeout`), whether its client is still there or not. */
const SETTLE_MS = 10_000

/** Of a part that is tried again at the next call. */
const FAILED: BackgroundProgress = { remaining: 1 }

function requestId(): string {
  return randomBytes(16).toString('hex')
}

/** Only these three: a caller's object may carry more, and goes into statements. */
function named({ projectId, senderId, sessionId }: BackendSession): EngineSession {
  return { projectId, senderId, sessionId }
}

const ownerOf = ({ ownerId, senderId }: BackendSession): string => ownerId ?? senderId

/** Nothing is begun that is given up already. */
async function attempt<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  throwIfGivenUp(signal)
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

/** Undefined: nothing to do with it. */
function allProgress(parts: readonly (BackgroundProgress | undefined)[]): BackgroundProgress {
  const left = parts.filter((part) => part !== undefined)
  const times = left.flatMap(({ againInMs }) => (againInMs === undefined ? [] : [againInMs]))
  const remaining = left.reduce((sum, part) => sum + part.remaining, 0)
  return { remaining, ...(times.length > 0 && { againInMs: Math.min(...times) }) }
}

/**
 * The memory backend inside this process, on the gateway's own database: keeps what was said and what files say, and
 * finds it by its words. Files are read in processes of their own, which start when there are files and end with
 * `close`.
 */
export function createEmbeddedBackend(options: EmbeddedBackendOptions): MemoryBackend {
  const { db, logger, reading, embedding, models, isBusy } = options
  const reader: FileReader = createFileReader({ ...reading, ...(logger && { logger }) })
  const log = logger ?? { warn: () => {} }
  const embeddings = embedding && new Embeddings({ db, log, ...embedding })
  const longAdds = new LongAdds(isBusy)
  const fileTurns = new FileTurns()
  const { facts, describerOf } = createModelWork({ db, logger, embeddings }, models)
  return {
    name: 'embedded',
    settleMs: SETTLE_MS,
    findsUnflushed: true,
    health: () => askDatabase(db),
    add: (session, messages, signal) =>
      attempt(signal, async () => {
        const context = {
          db,
          reader,
          describer: describerOf?.({ ...named(session), ownerId: ownerOf(session) }),
          embeddings,
          longAdds,
          fileTurns,
        }
        await addMessages(context, named(session), messages, signal)
        return { requestId: requestId(), messageCount: messages.length, status: 'accumulated' }
      }),
    flush: (session, signal) =>
      attempt(signal, async () => {
        const drawing = session.isRecord ? undefined : facts
        const hasMoved = await flushSession(db, named(session), {
          drawsFacts: drawing !== undefined,
          ownerId: ownerOf(session),
        })
        await drawing?.draw(named(session), signal)
        return { requestId: requestId(), status: hasMoved ? 'extracted' : 'no_extraction' }
      }),
    search: (request, signal) =>
      attempt(signal, async () => {
        try {
          return await searchMemories({ db, embeddings }, request, signal)
        } catch (error) {
          throwIfGivenUp(signal)
          throw error
        }
      }),
    findMissing: (session, timestamps, signal) =>
      attempt(signal, async () => {
        const known = await knownTimestamps(db, named(session), timestamps)
        return timestamps.filter((timestamp) => !known.has(timestamp))
      }),
    forget: ({ projectId, senderId, sessionId, ownerId = senderId }, signal) =>
      attempt(signal, async () => {
        if (sessionId === undefined) await forgetAllFacts(db, { projectId, senderId }, { ownerId })
        else await forgetFacts(db, { projectId, senderId }, sessionId)
        await deleteAll(db, { projectId, senderId }, sessionId)
        embeddings?.forget({ projectId, senderId })
        return 'forgotten' as const
      }),
    tend: (signal) =>
      attempt(signal, async () => {
        const parts = await Promise.allSettled([
          composeBuffers(db, signal),
          refreshTerms(db, signal),
          embeddings?.tend(signal),
          facts?.tend(signal),
        ])
        throwIfGivenUp(signal)
        for (const part of parts) {
          if (part.status === 'rejected')
            log.warn({ err: part.reason }, 'a part of the background work failed, it is tried again')
        }
        return allProgress(parts.map((part) => (part.status === 'fulfilled' ? part.value : FAILED)))
      }),
    close: async () => {
      await facts?.close()
      await embeddings?.close()
      await reader.close()
    },
  }
}
