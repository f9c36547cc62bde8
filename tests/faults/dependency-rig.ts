import { createHash, type Hash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres, { type Sql } from 'postgres'
import { type Answer, createUser, TestUser } from '../helpers/client.ts'
import { postgresTemplate } from '../helpers/database-template.ts'
import { s3Settings } from '../helpers/deployments.ts'
import { type GatewayProcess, spawnGateway } from '../helpers/process.ts'
import { createPostgresDatabase, testDatabaseUrl } from '../helpers/test-database.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'

/** An answer that takes longer is a hang. */
const HANG_MS = 25_000

export const limits = { relayWaitMs: 500, searchMs: 3_000, backendMs: 10_000 }

export type Part = 'database' | 'store' | 'backend'

export interface Rig {
  readonly proxies: Record<Part, FaultProxy>
  readonly gateways: readonly GatewayProcess[]
  /** The same user at each gateway. */
  readonly users: readonly TestUser[]
  /** To the database itself, past the proxy. */
  readonly sql: Sql
  close(): Promise<void>
}

/** Two gateways on one PostgreSQL database, one bucket and one EverOS, each behind a proxy that can fail. */
export async function startRig(): Promise<Rig> {
  const { url, drop } = await createPostgresDatabase(testDatabaseUrl ?? '', postgresTemplate())
  const dir = mkdtempSync(join(tmpdir(), 'gateway-faults-'))
  const proxies = {
    database: await startFaultProxy(url),
    store: await startFaultProxy(s3Settings?.S3_ENDPOINT ?? ''),
    backend: await startFaultProxy(process.env.TEST_EVEROS_URL ?? ''),
  }
  const settings = {
    ...s3Settings,
    DATABASE_URL: proxies.database.url,
    S3_ENDPOINT: proxies.store.url,
    MEMORY_BACKEND: 'everos',
    EVEROS_BASE_URL: proxies.backend.url,
    RELAY_WAIT_MS: String(limits.relayWaitMs),
    BACKEND_ADD_TIMEOUT_MS: String(limits.backendMs),
    BACKEND_FLUSH_TIMEOUT_MS: String(limits.backendMs),
    BACKEND_SEARCH_TIMEOUT_MS: String(limits.searchMs),
    MAX_UPLOADS_PER_USER: '32',
  }
  const gateways = [
    await spawnGateway({ ...settings, STORAGE_DIR: join(dir, 'a') }),
    await spawnGateway({ ...settings, STORAGE_DIR: join(dir, 'b') }),
  ]
  const first = await createUser(gateways[0]?.url ?? '')
  const sql = postgres(url, { max: 2, onnotice: () => {} })
  return {
    proxies,
    gateways,
    users: gateways.map((gateway) => new TestUser(gateway.url, first.id, first.key)),
    sql,
    async close() {
      await Promise.all(gateways.map((gateway) => gateway.stop('SIGKILL')))
      for (const proxy of Object.values(proxies)) await proxy.close()
      await sql.end()
      await drop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

export interface Outcome {
  readonly status: number
  readonly ms: number
  readonly retryAfter: string | null
  readonly body: Answer['body']
}

/** What a call came to. `status` 0: the connection ended without a whole answer; -1: none came in time. */
export async function measured(work: () => Promise<Answer>): Promise<Outcome> {
  const start = performance.now()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), HANG_MS)
  })
  const answer = await Promise.race([work().catch(() => undefined), late])
  clearTimeout(timer)
  const ms = Math.round(performance.now() - start)
  if (answer === 'late' || !answer) return { status: answer ? -1 : 0, ms, retryAfter: null, body: undefined }
  return { status: answer.status, ms, retryAfter: answer.headers.get('retry-after'), body: answer.body }
}

/** What a client knows of an upload, whatever became of it. */
export interface Upload {
  readonly session: string
  readonly sha256: string
  readonly outcome: Outcome
}

export const sha256 = (bytes: Uint8Array): string => hashOf(bytes).digest('hex')
const hashOf = (bytes: Uint8Array): Hash => createHash('sha256').update(bytes)

export function randomText(size: number): Uint8Array {
  return Buffer.from(randomBytes(size).toString('base64').slice(0, size))
}

export const isAcknowledged = ({ status }: Outcome): boolean => status >= 200 && status < 300

/** Adds a message with a file to a session of its own. */
export async function addMultipart(user: TestUser, size = 20_000): Promise<Upload> {
  const session = `chat:${randomBytes(8).toString('hex')}`
  const bytes = randomText(size)
  const file = { field: 'f', kind: 'doc', name: 'note.txt', bytes }
  return { session, sha256: sha256(bytes), outcome: await measured(() => user.addMessage(session, session, [file])) }
}

/** The same as JSON, with the file inline. */
export async function addJson(user: TestUser, size = 20_000): Promise<Upload> {
  const session = `chat:${randomBytes(8).toString('hex')}`
  const bytes = randomText(size)
  const content = [
    { type: 'text', text: session },
    { type: 'doc', name: 'note.txt', ext: 'txt', base64: Buffer.from(bytes).toString('base64') },
  ]
  const body = { session_id: session, messages: [{ role: 'user', content }] }
  return { session, sha256: sha256(bytes), outcome: await measured(() => user.post('/memories/add', body)) }
}

/** The same without a file: all of it is stored in one transaction. */
export async function addText(user: TestUser): Promise<Upload> {
  const session = `chat:${randomBytes(8).toString('hex')}`
  return { session, sha256: '', outcome: await measured(() => user.addMessage(session, session)) }
}

export async function addResource(user: TestUser): Promise<Upload> {
  const bytes = randomText(20_000)
  const title = randomBytes(8).toString('hex')
  const outcome = await measured(() => user.addResource({ name: 'note.txt', bytes }, { title }))
  return { session: `resource:${title}`, sha256: sha256(bytes), outcome }
}

/** Reads a file to its end; `sha256` is of what a whole answer held. */
export async function download(user: TestUser, attachmentId: string): Promise<Outcome & { sha256?: string }> {
  let hash: string | undefined
  const outcome = await measured(async () => {
    const response = await fetch(`${user.base}/attachments/${attachmentId}/content`, {
      headers: { authorization: `Bearer ${user.key}` },
    })
    const bytes = new Uint8Array(await response.arrayBuffer())
    if (response.status === 200) hash = sha256(bytes)
    return { status: response.status, headers: response.headers, body: undefined }
  })
  return hash === undefined ? outcome : { ...outcome, sha256: hash }
}

/** The ids of the files that are to be seen of an upload; undefined if nothing is. */
export async function visible({ sql, users }: Rig, { session }: Upload): Promise<string[] | undefined> {
  if (session.startsWith('resource:')) {
    const rows = await sql<{ id: string }[]>`
      select a.id from user_resources r join attachments a on a.id = r.attachment_id and a.state = 'stored'
      where r.title = ${session.slice('resource:'.length)}`
    return rows.length > 0 ? rows.map(({ id }) => id) : undefined
  }
  const { status, body } = (await users[0]?.get(`/sessions/${encodeURIComponent(session)}/messages`)) ?? {}
  if (status === 404) return undefined
  if (status !== 200 || body.messages.length !== 1) throw new Error(`${session}: ${status} ${JSON.stringify(body)}`)
  const items = body.messages[0].content as { attachment_id?: string }[]
  return items.flatMap(({ attachment_id }) => attachment_id ?? [])
}

/**
 * For sessions that were never flushed: the times of the messages that the backend holds, and of those that the gateway relayed. It is
 * asked directly.
 */
export async function backendMessages({ sql }: Rig): Promise<{ session: string; times: number[]; wanted: number[] }[]> {
  const sessions = await sql<{ name: string; project: string; sender: string; wanted: string[] }[]>`
    select s.upstream_session_id as name, c.upstream_project_id as project, c.upstream_sender_id as sender,
      (select array_agg(m.upstream_timestamp order by m.upstream_timestamp) from messages m where m.session_id = s.id) as wanted
    from sessions s join scopes c on c.id = s.scope_id
    where s.kind = 'chat' and s.deleted_at is null
      and not exists (select from batches b where b.session_id = s.id and (b.action = 'flush' or b.state <> 'relayed'))
    order by random() limit 60`
  const base = process.env.TEST_EVEROS_URL ?? ''
  const found = []
  for (const { name, project, sender, wanted } of sessions) {
    const body = { user_id: sender, app_id: 'default', project_id: project, query: '-', method: 'keyword', top_k: 1 }
    const filters = { session_id: name }
    let answer = await ask(`${base}/api/v2/memory/search`, { ...body, filters })
    if (answer.status === 404) answer = await ask(`${base}/api/v1/memory/search`, { ...body, filters })
    type Held = { data: { unprocessed_messages: { timestamp: string }[] } }
    const { data } = (await answer.json()) as Held
    const times = data.unprocessed_messages.map(({ timestamp }) => Date.parse(timestamp)).toSorted((a, b) => a - b)
    found.push({ session: name, times, wanted: wanted.map(Number) })
  }
  return found
}

function ask(url: string, body: unknown): Promise<Response> {
  return fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
}
