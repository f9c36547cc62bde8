import { mkdtempSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAdaptorServer } from '@hono/node-server'
import { pino } from 'pino'
import { createApp } from '../../src/app.ts'
import { loadConfig } from '../../src/config/config.ts'
import { readEnv } from '../../src/config/env.ts'
import { createServices } from '../../src/services.ts'
import { openTemplate } from './database-template.ts'
import type { TestGateway } from './gateway.ts'

export interface LoggedGateway extends Omit<TestGateway, 'connections'> {
  /** Everything logged so far, at the most talkative level and without redaction. */
  readonly lines: readonly string[]
  /** As a process that was told to stop. */
  stop(): void
}

/** A gateway on PGlite whose log can be read. */
export async function startLoggedGateway(settings: Record<string, string> = {}): Promise<LoggedGateway> {
  const dir = mkdtempSync(join(tmpdir(), 'gateway-'))
  const lines: string[] = []
  const log = pino({ level: 'trace', base: null }, { write: (line: string) => void lines.push(line) })
  const config = loadConfig(readEnv({ STORAGE_DIR: dir, ...settings }))
  const database = await openTemplate()
  const services = await createServices(config, { log, database, pollSeconds: 0.5 })
  await services.startJobs()
  let isStopping = false
  const { fetch } = createApp(services, () => isStopping)
  const http = createAdaptorServer({ fetch, overrideGlobalObjects: false }) as Server
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    services,
    lines,
    stop: () => void (isStopping = true),
    async close() {
      const closed = new Promise((resolve) => http.close(resolve))
      http.closeAllConnections()
      await closed
      await services[Symbol.asyncDispose]()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
