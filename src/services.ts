import { mkdirSync } from 'node:fs'
import { createEmbeddedBackend } from './adapters/memory-backend/embedded/index.ts'
import { createEverosBackend } from './adapters/memory-backend/everos/index.ts'
import { createLocalObjectStore } from './adapters/object-store/local.ts'
import { createS3ObjectStore } from './adapters/object-store/s3.ts'
import type { Config, ObjectStoreConfig } from './config/config.ts'
import { type Database, type DatabaseConnection, timeQueries } from './db/database.ts'
import { migratePglite, migratePostgres } from './db/migrate.ts'
import { openPglite } from './db/pglite.ts'
import { openPostgres } from './db/postgres.ts'
import { createSpool } from './domain/attachments/spool.ts'
import { UploadGate } from './domain/attachments/upload-gate.ts'
import type { DomainServices, SystemContext } from './domain/context.ts'
import { resumeSessions, takeOverSessions } from './domain/relay/resume-sessions.ts'
import { SessionRelay } from './domain/relay/session-relay.ts'
import { UserTurns } from './domain/users/user-turns.ts'
import { createJobHandlers } from './jobs/handlers.ts'
import { type RunningQueue, startQueue } from './jobs/queue.ts'
import { createEvents } from './observability/events.ts'
import type { Log } from './observability/logger.ts'
import { createMetrics, type Metrics } from './observability/metrics.ts'
import { withTimedMethods } from './observability/timings.ts'
import type { MemoryBackend } from './ports/memory-backend.ts'
import type { ObjectStore } from './ports/object-store.ts'

/** Everything that the surfaces need. Dispose of it last, after the server has let its requests go. */
export interface Services extends DomainServices, AsyncDisposable {
  readonly config: Config
  readonly log: Log
  readonly metrics: Metrics
  /** Begins with the jobs, and with what an earlier process left undone. */
  startJobs(): Promise<void>
}

export interface StartupProgress {
  (step: string): void
}

const STORE_CALLS = new Set<keyof ObjectStore>(['put', 'get', 'head', 'delete'])
const BACKEND_CALLS = new Set<keyof MemoryBackend>(['search'])

/** The composition root: picks the adapters, opens them in order, and closes them in reverse. */
export async function createServices(
  config: Config,
  options: {
    log: Log
    progress?: StartupProgress
    /** How often jobs are looked for. */
    pollSeconds?: number
    /** An open and migrated database to use instead of the configured embedded one; closed with the services. */
    database?: DatabaseConnection
  },
): Promise<Services> {
  const { log, progress = () => {} } = options
  await using opened = new AsyncDisposableStack()
  const metrics = createMetrics()
  const events = createEvents(metrics, log)

  progress(config.database.kind === 'pglite' ? 'opening the embedded database' : 'connecting to PostgreSQL')
  const database = options.database ?? (await openDatabase(config, progress))
  opened.defer(() => database.close())
  timeQueries(database.db)

  progress('checking the object store')
  const objectStore = openObjectStore(config.objectStore)
  opened.defer(() => objectStore.close())
  await objectStore.selfTest()
  const spool = createSpool(config.spoolDir)

  const backend = openBackend(config, database.db, log)
  opened.defer(() => backend.close())
  await warnIfAway(backend, log)

  progress('starting the job queue')
  const postgresUrl = config.database.kind === 'postgres' ? config.database.url : undefined
  const jobs = await startQueue(database, { postgresUrl, log, pollSeconds: options.pollSeconds })
  opened.defer(() => jobs.stop())

  const relay = new SessionRelay({
    db: database.db,
    objectStore,
    backend,
    events,
    log,
    attempts: config.relay.attempts,
    giveUpMs: config.relay.giveUpMs,
  })

  const domain: DomainServices = {
    db: database.db,
    database,
    objectStore: withTimedMethods(objectStore, 'store', STORE_CALLS),
    backend: withTimedMethods(backend, 'backend', BACKEND_CALLS),
    jobs,
    relay,
    spool,
    uploads: new UploadGate(config.limits, events),
    turns: new UserTurns(),
    limits: config.limits,
    events,
    relayWaitMs: config.relay.waitMs,
  }
  const work = createWork(config, domain, jobs, log)
  opened.defer(work.end)
  const disposables = opened.move()
  return {
    ...domain,
    config,
    log,
    metrics,
    startJobs: work.begin,
    [Symbol.asyncDispose]: () => disposables.disposeAsync(),
  }
}

/** What a process does of its own accord: the jobs, and what an earlier process left undone. */
function createWork(config: Config, domain: DomainServices, jobs: RunningQueue, log: Log) {
  const stopping = new AbortController()
  let resuming: Promise<void> = Promise.resolve()
  return {
    async begin(): Promise<void> {
      const ctx: SystemContext = { services: domain, requestId: 'start', log, signal: stopping.signal }
      if (domain.database.kind === 'pglite') await takeOverSessions(ctx)
      resuming = resumeSessions(ctx, 0).catch((error: unknown) => {
        log.error({ err: error }, 'sessions not resumed, the sweeper will')
      })
      await jobs.work(createJobHandlers(domain, log, config.orphanGraceMs))
    },
    async end(): Promise<void> {
      stopping.abort()
      await Promise.all([resuming, domain.relay.end()])
    },
  }
}

async function openDatabase(config: Config, progress: StartupProgress): Promise<DatabaseConnection> {
  if (config.database.kind === 'pglite') {
    const connection = await openPglite({ dataDir: config.database.dir })
    progress('updating its tables')
    await migratePglite(connection.client)
    return connection
  }
  const { url, poolSize } = config.database
  const connection = await openPostgres({ url, maxConnections: poolSize })
  progress('updating its tables')
  await migratePostgres(url)
  return connection
}

function openObjectStore(config: ObjectStoreConfig): ObjectStore {
  return config.kind === 'local' ? createLocalObjectStore({ root: config.dir }) : createS3ObjectStore(config)
}

function openBackend(config: Config, db: Database, log: Log): MemoryBackend {
  const { backend } = config
  if (backend.kind === 'everos') return createEverosBackend(backend)
  mkdirSync(config.readingDir, { recursive: true, mode: 0o700 })
  return createEmbeddedBackend({ db, logger: log, reading: { directory: config.readingDir } })
}

/** The gateway takes uploads also while its backend is away, so this is no reason not to start. */
async function warnIfAway(backend: MemoryBackend, log: Log): Promise<void> {
  const health = await backend.health()
  if (health.status === 'ok') return
  log.warn(
    { baseUrl: health.baseUrl, data: health.data },
    'EVEROS_BASE_URL: the memory backend does not answer; uploads will wait for it',
  )
}
