import type { Server } from 'node:http'
import { createAdaptorServer, type ServerType } from '@hono/node-server'
import { createApp } from './app.ts'
import { type Config, loadConfig } from './config/config.ts'
import { readEnv } from './config/env.ts'
import { createLogger, isReadable, type Log } from './observability/logger.ts'
import { createServices, type Services } from './services.ts'

/** Requests get this long to end after a SIGTERM; jobs and connections the rest of the 30 seconds. */
const DRAIN_MS = 20_000
const EXIT_MS = 29_000
/** How soon a connection whose request has ended is closed then; left open, each would last to the end of the drain. */
const IDLE_CHECK_MS = 100
const CHECK_INTERVAL_MS = 5_000
/** More are closed as they come: each may hold buffers before anything is known of it. */
const MAX_CONNECTIONS = 2000

/** The gateway as a process: settings, services, a server, and what signals do. Resolves when it is ready, or has said why it cannot start. */
export async function runGateway(): Promise<void> {
  try {
    await run()
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    process.stderr.write(`\nThe gateway cannot start.\n${message.replace(/^/gm, '  ')}\n`)
    process.exitCode = 1
  }
}

async function run(): Promise<void> {
  const config = loadConfig(readEnv())
  const log = createLogger(config.log)
  const progress = progressReporter(log)
  const services = await createServices(config, {
    log,
    progress: progress.step,
    onAdminKey: (secret) => {
      progress.end()
      showAdminKey(secret)
    },
  })
  let isStopping = false
  const server = createServer(config, services, () => isStopping)
  try {
    await services.startJobs()
    await listen(server, config)
  } catch (error) {
    await services[Symbol.asyncDispose]()
    throw error
  }
  const stop = (signal: NodeJS.Signals) => {
    if (isStopping) {
      log.warn({ signal }, 'stopped at once')
      process.exit(1)
    }
    isStopping = true
    services.relay.stopWaiting()
    log.info({ signal }, 'stopping: finishing what is under way')
    shutDown(server, services, log).then(
      () => log.info('stopped'),
      (error: unknown) => {
        log.error({ err: error }, 'stopped with an error')
        process.exitCode = 1
      },
    )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  progress.end()
  announce(config, server, services)
}

function createServer(config: Config, services: Services, isStopping: () => boolean): ServerType {
  const { headersTimeoutMs, requestTimeoutMs } = config.limits
  const server = createAdaptorServer({
    fetch: createApp(services, isStopping).fetch,
    overrideGlobalObjects: false,
    serverOptions: {
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: CHECK_INTERVAL_MS,
      keepAliveTimeout: 65_000,
    },
  })
  server.maxConnections = MAX_CONNECTIONS
  return server
}

function listen(server: ServerType, config: Config): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        new Error(
          error.code === 'EADDRINUSE'
            ? `PORT: ${config.port} is in use on ${config.host}. Set PORT to another.`
            : `HOST, PORT: ${error.message}`,
        ),
      )
    })
    server.listen(config.port, config.host, resolve)
  })
}

async function shutDown(server: ServerType, services: Services, log: Log): Promise<void> {
  setTimeout(() => {
    log.error('requests did not end in time')
    process.exit(1)
  }, EXIT_MS).unref()
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  const http = server as Server
  const idle = setInterval(() => http.closeIdleConnections(), IDLE_CHECK_MS)
  const cut = setTimeout(() => http.closeAllConnections(), DRAIN_MS)
  await closed
  clearInterval(idle)
  clearTimeout(cut)
  await services[Symbol.asyncDispose]()
}

function progressReporter(log: Log) {
  const start = performance.now()
  if (!process.stdout.isTTY) return { step: (name: string) => log.info({ step: name }, 'starting'), end: () => {} }
  const write = (text: string) => process.stdout.write(text)
  return {
    step: (name: string) => void write(`\r\x1b[2K… ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`),
    end: () => void write('\r\x1b[2K'),
  }
}

/** Once, and outside the log, which others read and keep. */
function showAdminKey(secret: string): void {
  process.stdout.write(`
  No GATEWAY_ADMIN_KEY is set, so one was made for the routes under /admin. It is shown this once; only its hash is kept:

    ${secret}

`)
}

function announce(config: Config, server: ServerType, services: Services): void {
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : config.port
  const host = config.host.includes(':') ? `[${config.host}]` : config.host
  const { database, objectStore } = config
  const backend = config.backend.kind === 'everos' ? `EverOS at ${config.backend.baseUrl}` : 'embedded'
  const base = `http://${host}:${port}`
  const providers = config.models.providers.filter(({ isUsable }) => isUsable).map(({ names }) => names[0])
  services.log.info(
    { base, database: database.kind, objectStore: objectStore.kind, backend: config.backend.kind, providers },
    'ready',
  )
  if (!isReadable(config.log.format)) return
  process.stdout.write(`
  Memory Gateway   ${base}
  database         ${database.kind === 'pglite' ? `embedded, in ${database.dir}` : `PostgreSQL ${services.database.version}`}
  files            ${objectStore.kind === 'local' ? objectStore.dir : `s3://${objectStore.bucket}`}
  memory backend   ${backend}
  model providers  ${providers.join(', ') || 'none: chats need OPENAI_API_KEY or another (docs/chat-proxy.md)'}

  Read the API     ${base}/docs
  Try it           curl -sS -X POST ${base}/users -H 'Content-Type: application/json' -d '{"user_id":"me"}'

`)
}
