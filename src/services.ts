import { mkdirSync } from 'node:fs'
import { openLocalEmbedding } from './adapters/embedding-model/local/local-embedding.ts'
import { ModelFolderError } from './adapters/embedding-model/local/model-folder.ts'
import { createOpenAiCompatibleEmbedding } from './adapters/embedding-model/openai-compatible.ts'
import type { EngineModels } from './adapters/memory-backend/embedded/facts/engine-models.ts'
import { createEmbeddedBackend } from './adapters/memory-backend/embedded/index.ts'
import { missingOcrPackages } from './adapters/memory-backend/embedded/reading/ocr/tesseract-data.ts'
import { createModelGateway } from './adapters/model-provider/forwarder.ts'
import { createOpenAiCompatibleModel } from './adapters/model-provider/openai-compatible.ts'
import { createTranscriptionModel } from './adapters/model-provider/transcription.ts'
import { createLocalObjectStore } from './adapters/object-store/local.ts'
import { createHttpWebhookSender } from './adapters/webhook-sender/http.ts'
import type { Config, ObjectStoreConfig } from './config/config.ts'
import type { ModelFolder, ModelServer } from './config/engine.ts'
import { ConfigError } from './config/env.ts'
import { readPlans } from './config/plans.ts'
import { type DatabaseConnection, timeQueries } from './db/database.ts'
import { migratePglite, migratePostgres } from './db/migrate.ts'
import { ensureAdminKey } from './domain/accounts/admin-key.ts'
import { createSpool } from './domain/attachments/spool.ts'
import { UploadGate } from './domain/attachments/upload-gate.ts'
import type { DomainServices, SystemContext } from './domain/context.ts'
import { resumeSessions, takeOverSessions } from './domain/relay/resume-sessions.ts'
import { SessionRelay } from './domain/relay/session-relay.ts'
import { hashKey } from './domain/secret-key.ts'
import { OpenExchanges } from './domain/threads/open-exchanges.ts'
import { RateWindows } from './domain/usage/rate-windows.ts'
import { UsageLedger } from './domain/usage/usage-ledger.ts'
import { warnOfUnknownPlans } from './domain/usage/warn-of-unknown-plans.ts'
import { UserTurns } from './domain/users/user-turns.ts'
import { createJobHandlers } from './jobs/handlers.ts'
import { type RunningQueue, startQueue } from './jobs/queue.ts'
import { createEvents } from './observability/events.ts'
import { watchLoad } from './observability/load.ts'
import type { Log } from './observability/logger.ts'
import { createMetrics, type Metrics } from './observability/metrics.ts'
import { withTimedMethods } from './observability/timings.ts'
import type { EmbeddingModel } from './ports/embedding-model.ts'
import type { MemoryBackend } from './ports/memory-backend.ts'
import type { ModelProvider } from './ports/model-provider.ts'
import type { ObjectStore } from './ports/object-store.ts'

/** Everything that the surfaces need. Dispose of it last, after the server has let its requests go. */
export interface Services extends DomainServices, AsyncDisposable {
  readonly config: Config
  readonly log: Log
  readonly metrics: Metrics
  readonly adminKeyHash: string
  /** Begins with the jobs, and with what an earlier process left undone. */
  startJobs(): Promise<void>
}

export interface StartupProgress {
  (step: string): void
}

const STORE_CALLS = new Set<keyof ObjectStore>(['put', 'get', 'head', 'delete'])
const BACKEND_CALLS = new Set<keyof MemoryBackend>(['search'])
const MODEL_CALLS = new Set<keyof ModelProvider>(['complete'])

export interface ServiceOptions {
  readonly log: Log
  readonly progress?: StartupProgress
  /** How often jobs are looked for. */
  readonly pollSeconds?: number
  /** An open and migrated database to use instead of the configured embedded one; closed with the services. */
  readonly database?: DatabaseConnection
  /** Is told the admin key, if this start made it: nobody else ever is. */
  readonly onAdminKey?: (secret: string) => void
}

/** The composition root: picks the adapters, opens them in order, and closes them in reverse. */
export async function createServices(config: Config, options: ServiceOptions): Promise<Services> {
  const { log, progress = () => {} } = options
  await using opened = new AsyncDisposableStack()
  const metrics = createMetrics()
  const events = createEvents(metrics, log)
  const plans = readPlans(config.plansFile)

  progress(config.database.kind === 'pglite' ? 'opening the embedded database' : 'connecting to PostgreSQL')
  const database = options.database ?? (await openDatabase(config, progress, log))
  opened.defer(() => database.close())
  timeQueries(database.db)

  const { isBusy } = opened.adopt(watchLoad(), ({ end }) => end())
  progress('checking the object store')
  const objectStore = await openObjectStore(config.objectStore)
  opened.defer(() => objectStore.close())
  await objectStore.selfTest()
  const spool = createSpool(config.spoolDir)

  const chatModel = config.chatModel && createOpenAiCompatibleModel(config.chatModel)
  opened.defer(() => chatModel?.close())
  const transcription = config.engine.transcription && createTranscriptionModel(config.engine.transcription)
  opened.defer(() => transcription?.close())
  const models = { chat: chatModel, transcription, events }
  const backend = await openBackend(config, database, log, { isBusy, models })
  opened.defer(() => backend.close())
  await warnIfAway(backend, log)
  const modelGateway = opened.adopt(createModelGateway(config.models, log), (gateway) => gateway.close())
  const webhooks = opened.adopt(createHttpWebhookSender(config.webhooks), (sender) => sender.close())

  progress('starting the job queue')
  const postgresUrl = config.database.kind === 'postgres' ? config.database.url : undefined
  const jobs = await startQueue(database, { postgresUrl, log, pollSeconds: options.pollSeconds })
  opened.defer(() => jobs.stop())

  const relay = createRelay(config, { db: database.db, objectStore, backend, events, log })
  const usage = new UsageLedger(database.db, log)
  opened.defer(() => usage.close())
  const rates = new RateWindows(database.db, log, config.rateLimits)
  opened.defer(() => rates.close())

  const domain: DomainServices = {
    db: database.db,
    database,
    objectStore: withTimedMethods(objectStore, 'store', STORE_CALLS),
    backend: withTimedMethods(backend, 'backend', BACKEND_CALLS),
    jobs,
    relay,
    spool,
    uploads: new UploadGate(config.limits, events),
    turns: new UserTurns(isBusy),
    exchanges: new OpenExchanges(),
    webhooks,
    limits: config.limits,
    events,
    relayWaitMs: config.relay.waitMs,
    chatModel: chatModel && withTimedMethods(chatModel, 'model', MODEL_CALLS),
    observation: config.observation,
    modelGateway,
    recall: config.recall,
    plans,
    usage,
    rates,
  }
  const work = createWork(config, domain, jobs, log)
  opened.defer(work.end)
  const adminKeyHash = await prepareOperation(config, domain, log, options.onAdminKey)
  const disposables = opened.move()
  return {
    ...domain,
    config,
    log,
    metrics,
    adminKeyHash,
    startJobs: work.begin,
    [Symbol.asyncDispose]: () => disposables.disposeAsync(),
  }
}

function createRelay(
  { relay }: Config,
  parts: Omit<ConstructorParameters<typeof SessionRelay>[0], 'attempts' | 'giveUpMs'>,
): SessionRelay {
  return new SessionRelay({ ...parts, attempts: relay.attempts, giveUpMs: relay.giveUpMs })
}

/** The last step: a key is told only if the start succeeds. Resolves with the hash of the admin key. */
async function prepareOperation(
  config: Config,
  services: DomainServices,
  log: Log,
  onAdminKey: (secret: string) => void = () => {},
): Promise<string> {
  const ctx = { services, requestId: 'start', log }
  await warnOfUnknownPlans(ctx)
  if (config.adminKey !== undefined) return hashKey(config.adminKey)
  const { hash, secret } = await ensureAdminKey(ctx)
  if (secret !== undefined) onAdminKey(secret)
  return hash
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
      await Promise.all([resuming, domain.exchanges.end(), domain.relay.end()])
    },
  }
}

// A start takes as long as the modules that it loads: of the alternatives only those that are configured, and the AWS SDK is the largest of all.

async function openDatabase(config: Config, progress: StartupProgress, log: Log): Promise<DatabaseConnection> {
  if (config.database.kind === 'pglite') {
    const { openPglite } = await import('./db/pglite.ts')
    const { startAutovacuum } = await import('./db/pglite-autovacuum.ts')
    const connection = await openPglite({ dataDir: config.database.dir })
    progress('updating its tables')
    await migratePglite(connection.client)
    const endAutovacuum = await startAutovacuum(connection.client, (error) =>
      log.warn({ err: error }, 'a table was not vacuumed, it is tried again'),
    )
    const close = async () => {
      await endAutovacuum()
      await connection.close()
    }
    return { ...connection, close }
  }
  const { url, poolSize } = config.database
  const { openPostgres } = await import('./db/postgres.ts')
  const connection = await openPostgres({ url, maxConnections: poolSize })
  progress('updating its tables')
  await migratePostgres(url)
  return connection
}

async function openObjectStore(config: ObjectStoreConfig): Promise<ObjectStore> {
  if (config.kind === 'local') return createLocalObjectStore({ root: config.dir })
  const { createS3ObjectStore } = await import('./adapters/object-store/s3.ts')
  return createS3ObjectStore(config)
}

async function openBackend(
  config: Config,
  database: DatabaseConnection,
  log: Log,
  { models, isBusy }: { models: Omit<EngineModels, 'tokensPerDay'>; isBusy: () => boolean },
): Promise<MemoryBackend> {
  const { backend, engine } = config
  if (backend.kind === 'everos') {
    const { createEverosBackend } = await import('./adapters/memory-backend/everos/index.ts')
    return createEverosBackend(backend)
  }
  mkdirSync(config.readingDir, { recursive: true, mode: 0o700 })
  const { ocrLanguages, keepGps } = engine
  const missing = missingOcrPackages(ocrLanguages)
  if (missing.length > 0) {
    throw new ConfigError(`OCR_LANGUAGES: what reads them is not installed: npm install ${missing.join(' ')}`)
  }
  const model = engine.embedding && (await openEmbedding(engine.embedding))
  return createEmbeddedBackend({
    db: database.db,
    logger: log,
    reading: { directory: config.readingDir, ocrLanguages, keepGps },
    // On the embedded database whoever rests in a transaction keeps all others from theirs.
    ...(database.kind === 'postgres' && { isBusy }),
    models: { ...models, tokensPerDay: engine.extractionTokensPerDay },
    ...(model && { embedding: { model, withOwnSession: database.withOwnSession } }),
  })
}

async function openEmbedding(embedding: ModelServer | ModelFolder): Promise<EmbeddingModel> {
  if ('model' in embedding) return createOpenAiCompatibleEmbedding(embedding)
  try {
    return await openLocalEmbedding(embedding)
  } catch (error) {
    throw error instanceof ModelFolderError ? new ConfigError(`EMBEDDING_MODEL: ${error.message}`) : error
  }
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
