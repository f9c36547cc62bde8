import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import postgres from 'postgres'

const ADMIN_KEY = 'bench-admin-key-of-32-characters!'
const BATCH = 500
/** Counted, and never reached. */
const RATES = ['ALL', 'PROXY', 'PROXY_10S', 'MEMORY_READS', 'MEMORY_WRITES']
const NO_LIMIT = '100000000'

export interface Running {
  readonly base: string
  readonly process: ChildProcess
}

/** A place where a gateway keeps its data, with a user who has a memory, and keys. A fresh process is started on it for each measurement. */
export interface Site {
  readonly name: string
  readonly headers: Readonly<Record<'plain' | 'memory', Readonly<Record<string, string>>>>
  /** Of the code in the folder `tree`. */
  start(tree: string): Promise<Running>
  drop(): Promise<void>
}

/** On the server that `databaseUrl` names, in a database of its own; on PGlite without one. */
export async function prepareSite(
  options: { readonly databaseUrl: string | undefined; readonly model: string; readonly memories: number },
  flags: readonly string[],
): Promise<Site> {
  const dir = mkdtempSync(join(tmpdir(), 'gateway-bench-'))
  const database = options.databaseUrl === undefined ? undefined : await createDatabase(options.databaseUrl)
  const env = {
    ...process.env,
    PORT: '0',
    LOG_FORMAT: 'json',
    STORAGE_DIR: dir,
    DATABASE_URL: database?.url ?? '',
    OPENAI_BASE_URL: `${options.model}/v1`,
    GATEWAY_ADMIN_KEY: ADMIN_KEY,
    ...Object.fromEntries(RATES.map((name) => [`RATE_LIMIT_${name}`, NO_LIMIT])),
  }
  const start = (tree: string) => startGateway(join(dir, 'log'), [...flags, join(tree, 'src/main.ts')], env)
  const drop = async () => {
    await database?.drop()
    rmSync(dir, { recursive: true, force: true })
  }
  try {
    const gateway = await start('.')
    const headers = await fill(gateway.base, options.memories)
    await stop(gateway.process)
    return { name: database ? 'PostgreSQL' : 'PGlite', headers, start, drop }
  } catch (error) {
    await drop()
    throw error
  }
}

async function createDatabase(server: string): Promise<{ url: string; drop: () => Promise<void> }> {
  const name = `gateway_bench_${process.pid}`
  const run = async (statement: string) => {
    const sql = postgres(server, { max: 1, onnotice: () => {} })
    await sql.unsafe(statement)
    await sql.end()
  }
  await run(`create database ${name}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  return { url: url.href, drop: () => run(`drop database ${name} with (force)`) }
}

/** Its log goes to a file, as that of a service does. */
async function startGateway(log: string, command: readonly string[], env: NodeJS.ProcessEnv): Promise<Running> {
  const file = openSync(log, 'w')
  const child = spawn(process.execPath, command, { env, stdio: ['ignore', file, 'inherit'] })
  closeSync(file)
  for (;;) {
    const ready = readFileSync(log, 'utf8').match(/^\{.*"msg":"ready"\}$/m)?.[0]
    if (ready) return { base: (JSON.parse(ready) as { base: string }).base, process: child }
    if (child.exitCode !== null) throw new Error('A gateway did not start.')
    await delay(20)
  }
}

export async function stop(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await gone
}

/** A service key for chats without memory; a user with so many memories, and their key, for those with it. */
async function fill(base: string, memories: number): Promise<Site['headers']> {
  const { account_id: account } = await post<'account_id'>(base, '/admin/accounts', ADMIN_KEY, { name: 'bench' })
  const { api_key: key } = await post<'api_key'>(base, `/admin/accounts/${account}/keys`, ADMIN_KEY, { name: 'bench' })
  const { user_id: userId, user_key: userKey } = await post<'user_id' | 'user_key'>(base, '/users', ADMIN_KEY, {
    user_id: 'bench',
  })
  for (let at = 0; at < memories; at += BATCH) {
    const session = { session_id: `chat:seed-${at}`, app_id: 'default', project_id: 'default' }
    const messages = Array.from({ length: Math.min(BATCH, memories - at) }, (_, index) => ({
      role: 'user',
      sender_id: userId,
      timestamp: 1_700_000_000_000 + (at + index) * 60_000,
      content: sentence(at + index),
    }))
    await post(base, '/memories/add', userKey, { ...session, messages })
    await post(base, '/memories/flush', userKey, session)
  }
  const plain = { authorization: `Bearer ${key}` }
  return { plain, memory: { authorization: `Bearer ${userKey}`, 'x-resource-id': userId } }
}

const WHO = ['My sister', 'Our neighbour', 'The new team', 'My doctor', 'The landlord', 'Aunt Ingrid', 'The customer']
const DID = ['repaired', 'forgot', 'bought', 'painted', 'moved', 'ordered', 'sold', 'cancelled', 'praised']
const WHAT = [
  'the green bicycle',
  'the invoice',
  'a garden table',
  'the harbour tickets',
  'our budget',
  'the old piano',
]
const WHERE = ['in Bergen', 'in the cellar', 'at the office', 'by the river', 'in Lisbon', 'at the station', 'abroad']

/** No two are the same; some words are in many of them, and some in one alone. */
function sentence(at: number): string {
  const pick = (words: readonly string[], step: number) => words[Math.floor(at / step) % words.length]
  return `${pick(WHO, 1)} ${pick(DID, 3)} ${pick(WHAT, 5)} ${pick(WHERE, 7)} on day ${at}, for ${at % 97} crowns, note n${at.toString(36)}.`
}

async function post<Field extends string>(
  base: string,
  path: string,
  key: string,
  body: unknown,
): Promise<Record<Field, string>> {
  const response = await fetch(`${base}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
  return (await response.json()) as Record<Field, string>
}
