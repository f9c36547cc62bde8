import { mkdtempSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAdaptorServer } from '@hono/node-server'
import { createApp } from '../../src/app.ts'
import { loadConfig } from '../../src/config/config.ts'
import { readEnv } from '../../src/config/env.ts'
import { createLogger } from '../../src/observability/logger.ts'
import { createServices, type Services } from '../../src/services.ts'
import { openTemplate, postgresTemplate } from './database-template.ts'
import { createPostgresDatabase, testDatabaseUrl } from './test-database.ts'

export interface TestGateway {
  readonly url: string
  readonly services: Services
  /** How many connections are open now. */
  connections(): Promise<number>
  close(): Promise<void>
}

/** A whole gateway in this process, on a real socket: PGlite in memory, or a database of its own on the test server. */
export async function startGateway(settings: Record<string, string> = {}): Promise<TestGateway> {
  const dir = mkdtempSync(join(tmpdir(), 'gateway-'))
  const server = testDatabaseUrl ? await createPostgresDatabase(testDatabaseUrl, postgresTemplate()) : undefined
  const config = loadConfig(
    readEnv({
      STORAGE_DIR: dir,
      LOG_LEVEL: 'silent',
      ...(server && { DATABASE_URL: server.url, DATABASE_POOL_SIZE: '5' }),
      ...settings,
    }),
  )
  const database = server ? undefined : await openTemplate()
  const services = await createServices(config, {
    log: createLogger(config.log),
    pollSeconds: 0.5,
    ...(database && { database }),
  })
  await services.startJobs()
  const served = await serve(services)
  return {
    ...served,
    services,
    async close() {
      await served.close()
      await services[Symbol.asyncDispose]()
      await server?.drop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** Serves requests on a real socket; closing breaks the connections, and leaves the services open. */
export async function serve(services: Services, app = createApp(services)): Promise<Omit<TestGateway, 'services'>> {
  // As in the process itself. With Node's five seconds, a busy machine closes connections as they are used again.
  const serverOptions = { keepAliveTimeout: 65_000 }
  const http = createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false, serverOptions }) as Server
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    connections: () =>
      new Promise((resolve, reject) => http.getConnections((error, count) => (error ? reject(error) : resolve(count)))),
    async close() {
      const closed = new Promise((resolve) => http.close(resolve))
      http.closeAllConnections()
      await closed
    },
  }
}

let shared: Promise<TestGateway> | undefined

/** The gateway that the test files of one worker share; each test makes its own user. It ends with the worker. */
export function sharedGateway(): Promise<TestGateway> {
  shared ??= startGateway()
  return shared
}
