import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAdaptorServer } from '@hono/node-server'
import { pino } from 'pino'
import { createApp } from '../../src/app.ts'
import { loadConfig } from '../../src/config/config.ts'
import { readEnv } from '../../src/config/env.ts'
import type { DatabaseConnection } from '../../src/db/database.ts'
import { serializeError } from '../../src/observability/logger.ts'
import { createServices, type Services } from '../../src/services.ts'
import { openTemplate, postgresTemplate } from './database-template.ts'
import { createPostgresDatabase, testDatabaseUrl } from './test-database.ts'

export interface Replica {
  readonly url: string
  readonly services: Services
  close(): Promise<void>
}

export interface Deployment {
  /** Starts one more gateway on the deployment's database and files, with settings of its own. */
  start(settings?: Record<string, string>): Promise<Replica>
  /** After all its replicas are closed. */
  close(): Promise<void>
}

/**
 * Gateways of this process on one database: a new one on the test server, or PGlite in memory, which they share. They take no jobs, so
 * that nothing happens but what a test does; `onLog` gets every line they log, at the most talkative level.
 */
export async function prepareDeployment(
  settings: Record<string, string>,
  onLog: (line: string) => void = () => {},
): Promise<Deployment> {
  const dir = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'gateway-'))
  const server = testDatabaseUrl ? await createPostgresDatabase(testDatabaseUrl, postgresTemplate()) : undefined
  const shared = server ? undefined : await openTemplate()
  const database: DatabaseConnection | undefined = shared && { ...shared, close: () => Promise.resolve() }
  const log = pino({ level: 'trace', base: null, serializers: { err: serializeError } }, { write: onLog })
  return {
    async start(own = {}) {
      const place = { STORAGE_DIR: dir, ...(server && { DATABASE_URL: server.url, DATABASE_POOL_SIZE: '5' }) }
      const config = loadConfig(readEnv({ ...place, ...settings, ...own }))
      const services = await createServices(config, { log, pollSeconds: 0.5, ...(database && { database }) })
      const http = createAdaptorServer({ fetch: createApp(services).fetch, overrideGlobalObjects: false }) as Server
      // The client closes what is idle: a server that does so on a busy machine may meet a request.
      http.keepAliveTimeout = 60_000
      await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
      return {
        url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
        services,
        async close() {
          await new Promise((resolve) => {
            http.close(resolve)
            http.closeIdleConnections()
          })
          await services[Symbol.asyncDispose]()
        },
      }
    },
    async close() {
      await shared?.close()
      await server?.drop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
