import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { type Server, startCommand } from './processes.ts'

// Where a gateway keeps its data; a fresh process is started on it for each measurement.

export type DatabaseKind = 'PGlite' | 'PostgreSQL'

export interface SiteOptions {
  readonly database: DatabaseKind
  readonly settings?: Readonly<Record<string, string>>
  /** Native users with a key each. */
  readonly users?: number
}

export interface Caller {
  readonly id: string
  readonly key: string
}

export interface Site {
  readonly database: DatabaseKind
  readonly users: readonly Caller[]
  /** Of an application, whose chats have no memory. */
  readonly serviceKey: string
  /** Address of its database on the PostgreSQL server. */
  readonly databaseUrl: string | undefined
  /** `tree`: the folder whose code runs. */
  start(tree?: string, nodeFlags?: readonly string[]): Promise<Server>
  drop(): Promise<void>
}

/** The server on which databases are made, and dropped at the end. */
export const SERVER_URL = process.env.DATABASE_URL ?? 'postgres://postgres@127.0.0.1:5432/postgres'

const ADMIN_KEY = 'bench-admin-key-of-32-characters!'
/** Everything that costs time is on; limits are counted, and never reached. */
const RATES = ['ALL', 'PROXY', 'PROXY_10S', 'MEMORY_READS', 'MEMORY_WRITES']
const SETTINGS = {
  PORT: '0',
  LOG_FORMAT: 'json',
  GATEWAY_ADMIN_KEY: ADMIN_KEY,
  MAX_UPLOADS: '64',
  MAX_UPLOADS_PER_USER: '64',
  ...Object.fromEntries(RATES.map((name) => [`RATE_LIMIT_${name}`, '100000000'])),
}

export interface EmptySite extends Pick<Site, 'start' | 'drop' | 'databaseUrl'> {}

/** A folder and an empty database; nothing has run there. */
export async function emptySite({ database, settings }: SiteOptions): Promise<EmptySite> {
  const dir = mkdtempSync(join(tmpdir(), 'gateway-bench-'))
  const made = database === 'PostgreSQL' ? await createDatabase(SERVER_URL) : undefined
  const env = { ...SETTINGS, STORAGE_DIR: dir, ...(made && { DATABASE_URL: made.url }), ...settings }
  let starts = 0
  const start = (tree = '.', nodeFlags: readonly string[] = []) =>
    startCommand({
      command: [process.execPath, ...nodeFlags, join(tree, 'src/main.ts')],
      env,
      log: join(dir, `log-${starts++}`),
      ready: (output) => {
        const line = output.match(/^\{.*"msg":"ready"\}$/m)?.[0]
        return line === undefined ? undefined : (JSON.parse(line) as { base: string }).base
      },
    })
  const drop = async () => {
    sites.delete(drop)
    await made?.drop()
    rmSync(dir, { recursive: true, force: true })
  }
  sites.add(drop)
  return { start, drop, databaseUrl: made?.url }
}

const sites = new Set<() => Promise<void>>()
/** For a run that is broken off. */
export async function dropSites(): Promise<void> {
  await Promise.all([...sites].map((drop) => drop()))
}

/** With users and keys; `fill` is called while a gateway runs there, to give it what is searched. */
export async function prepareSite(
  options: SiteOptions,
  fill?: (base: string, users: readonly Caller[]) => Promise<void>,
): Promise<Site> {
  const site = await emptySite(options)
  try {
    const gateway = await site.start()
    const users = await Promise.all(Array.from({ length: options.users ?? 1 }, (_, at) => createUser(gateway.base, at)))
    const serviceKey = await createServiceKey(gateway.base)
    await fill?.(gateway.base, users)
    await gateway.stop()
    if (fill && site.databaseUrl !== undefined) await run(site.databaseUrl, ANALYSE)
    return { ...site, database: options.database, users, serviceKey }
  } catch (error) {
    await site.drop()
    throw error
  }
}

/** Of the PostgreSQL server; undefined if none answers. */
export async function postgresVersion(): Promise<string | undefined> {
  const sql = postgres(SERVER_URL, { max: 1, connect_timeout: 3, onnotice: () => {} })
  try {
    const [row] = await sql<{ version: string }[]>`select current_setting('server_version') as version`
    return row?.version
  } catch {
    return undefined
  } finally {
    await sql.end({ timeout: 1 })
  }
}

/** As the server's autovacuum does within a minute, for which nobody waits here. */
const ANALYSE = 'vacuum (analyze)'

async function run(url: string, statement: string): Promise<void> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  await sql.unsafe(statement)
  await sql.end()
}

let databases = 0

async function createDatabase(server: string): Promise<{ url: string; drop: () => Promise<void> }> {
  const name = `gateway_bench_${process.pid}_${databases++}`
  await run(server, `create database ${name}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  return { url: url.href, drop: () => run(server, `drop database ${name} with (force)`) }
}

async function createUser(base: string, at: number): Promise<Caller> {
  const made = await post(base, '/users', ADMIN_KEY, { user_id: `bench_${at}` })
  return { id: String(made.user_id), key: String(made.user_key) }
}

async function createServiceKey(base: string): Promise<string> {
  const { account_id: account } = await post(base, '/admin/accounts', ADMIN_KEY, { name: 'bench' })
  const { api_key: key } = await post(base, `/admin/accounts/${String(account)}/keys`, ADMIN_KEY, { name: 'bench' })
  return String(key)
}

export async function post(base: string, path: string, key: string, body: object): Promise<Record<string, unknown>> {
  const response = await fetch(`${base}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify(body),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`)
  return JSON.parse(text) as Record<string, unknown>
}
