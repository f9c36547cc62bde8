import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs, styleText } from 'node:util'
import { envSchema } from '../src/config/env.ts'

// Plays the tour of docs/curl-examples.md on a gateway of its own, or with --url on a running one.

const HELP = `npm run demo [-- --url http://host:port]

Plays a tour of the API. Without --url on a gateway that it starts for this, with its data in a folder that it removes.
GATEWAY_ADMIN_KEY: needed for --url if that gateway has one.`

const root = resolve(import.meta.dirname, '..')
const START_MS = 120_000
const STOP_MS = 30_000
/** A backend may index after it has answered. */
const FIND_MS = 60_000

interface Answer<T> {
  readonly status: number
  readonly ms: number
  readonly body: T
}

interface Attachment {
  readonly attachment_id: string
  readonly type: string
  readonly name: string
  readonly size: number
  readonly sha256: string
}

interface Found {
  readonly results: readonly {
    readonly source_scope: string
    readonly text: string
    readonly score: number
    readonly attachments: readonly (Omit<Attachment, 'sha256'> & { readonly url: string })[]
  }[]
}

type Stage = 'extracted' | 'processing'
type Listed = {
  readonly resources: readonly { readonly resource_id: string; readonly filename: string; readonly status: Stage }[]
}

/** Ctrl+C ends whatever is under way; the clean-up still happens. */
const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort())

/** What went wrong, for the one who runs the demo. */
class DemoError extends Error {}

const style = (format: Parameters<typeof styleText>[0], text: string) =>
  styleText(format, text, { stream: process.stdout })
const say = (text = '') => console.log(text)
const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))
const seconds = (since: number) => `${((performance.now() - since) / 1000).toFixed(1)} s`

async function call<T>(url: string, init: RequestInit, accepted: readonly number[], read: 'json' | 'bytes' = 'json') {
  const start = performance.now()
  const response = await fetch(url, {
    ...init,
    signal: AbortSignal.any([interrupted.signal, AbortSignal.timeout(START_MS)]),
  }).catch((error: Error) => {
    throw new DemoError(`no answer from ${url} (${error.cause instanceof Error ? error.cause.message : error.message})`)
  })
  const bytes = Buffer.from(await response.arrayBuffer())
  const ms = performance.now() - start
  if (!accepted.includes(response.status)) throw refusal(response.status, bytes.toString())
  return { status: response.status, ms, body: (read === 'json' ? JSON.parse(bytes.toString()) : bytes) as T }
}

function refusal(status: number, text: string): DemoError {
  const message = /"message":"((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ?? text.slice(0, 500)
  const hint = status === 401 ? ' Set GATEWAY_ADMIN_KEY to the key of that gateway.' : ''
  return new DemoError(`the gateway answered ${status}: ${message}${hint}`)
}

/** Announces a step, takes it, and tells what came of it. */
async function step<T>(
  title: string,
  request: string,
  take: () => Promise<Answer<T>>,
  tell: (body: T) => readonly string[],
): Promise<T> {
  say(`\n${style('bold', title)}\n  ${style('dim', request)}`)
  try {
    const { status, ms, body } = await take()
    const lines = tell(body)
    say(`  ${style(status === 202 ? 'yellow' : 'green', String(status))} ${style('dim', `${ms.toFixed(0)} ms`)}`)
    for (const line of lines) say(`  ${line}`)
    return body
  } catch (error) {
    throw new DemoError(`"${title}" failed: ${messageOf(error)}`, { cause: error })
  }
}

/** Requests of one user. */
class Client {
  readonly base: string
  readonly #headers: Record<string, string>

  constructor(base: string, key: string | undefined) {
    this.base = base
    this.#headers = key === undefined ? {} : { authorization: `Bearer ${key}` }
  }

  get<T>(path: string): Promise<Answer<T>> {
    return call(this.base + path, { headers: this.#headers }, [200])
  }

  post<T>(path: string, body: object, accepted = [200, 201, 202]): Promise<Answer<T>> {
    const headers = { ...this.#headers, 'content-type': 'application/json' }
    return call(this.base + path, { method: 'POST', headers, body: JSON.stringify(body) }, accepted)
  }

  upload<T>(path: string, fields: Record<string, string>, files: Record<string, File>): Promise<Answer<T>> {
    const form = new FormData()
    for (const [name, value] of [...Object.entries(fields), ...Object.entries(files)]) form.append(name, value)
    return call(this.base + path, { method: 'POST', headers: this.#headers, body: form }, [200, 201, 202])
  }

  download(path: string): Promise<Answer<Buffer>> {
    return call(this.base + path, { headers: this.#headers }, [200], 'bytes')
  }

  async searchUntilFound(body: object): Promise<Answer<Found>> {
    const deadline = Date.now() + FIND_MS
    for (;;) {
      const answer = await this.post<Found>('/memories/search', body, [200])
      if (answer.body.results.length > 0) return answer
      if (Date.now() > deadline) throw new DemoError(`nothing was found within ${FIND_MS / 1000} s`)
      await pause(500)
    }
  }
}

function testFile(name: string, type: string): File {
  return new File([readFileSync(join(root, 'tests', name))], name, { type })
}

function tellHits({ results }: Found): string[] {
  return results.flatMap(({ source_scope, score, text, attachments }) => [
    `${style('cyan', source_scope)} ${style('dim', `score ${score.toFixed(2)}`)}`,
    ...text.split('\n').flatMap((line) => (line ? [`  ${line}`] : [])),
    ...attachments.map(({ type, name, size, url }) => `  ${style('magenta', type)} ${name}, ${size} bytes, ${url}`),
  ])
}

async function createUser(base: string): Promise<{ id: string; client: Client }> {
  const id = `demo_${randomBytes(4).toString('hex')}`
  const operator = new Client(base, process.env.GATEWAY_ADMIN_KEY || undefined)
  const { user_key } = await step(
    'Create a user',
    `POST /users {"user_id":"${id}"}`,
    () => operator.post<{ user_id: string; user_key: string }>('/users', { user_id: id }),
    (body) => [`${body.user_id}, with the key ${body.user_key.slice(0, 7)}… (shown once)`],
  )
  return { id, client: new Client(base, user_key) }
}

async function playChat(client: Client, userId: string, picture: File): Promise<void> {
  const session = 'chat:demo'
  const content = [
    { type: 'text', text: '请记住这次上传：图片里有左上红色方块、右上蓝色圆形、底部绿色横条；音频是一段短促测试音。' },
    { type: 'image', upload_id: 'image_1', name: picture.name },
    { type: 'audio', upload_id: 'audio_1', name: 'simple-tone.wav' },
  ]
  const messages = JSON.stringify([{ sender_id: userId, role: 'user', timestamp: Date.now(), content }])
  await step(
    'Add a chat message with a picture and a sound',
    `POST /memories/add/multipart session_id=${session} messages=[…] image_1=@${picture.name} audio_1=@simple-tone.wav`,
    () =>
      client.upload<{ attachments: readonly Attachment[] }>(
        '/memories/add/multipart',
        { session_id: session, messages },
        { image_1: picture, audio_1: testFile('simple-tone.wav', 'audio/wav') },
      ),
    (body) =>
      body.attachments.map(
        ({ type, name, size, sha256 }) =>
          `${style('magenta', type)} ${name}, ${size} bytes, SHA-256 ${sha256.slice(0, 12)}…`,
      ),
  )
  await step(
    'Flush: have the backend extract and index the chat',
    `POST /memories/flush {"session_id":"${session}"}`,
    () =>
      client.post<{ status?: string; backend?: { data: { status: string } } }>('/memories/flush', {
        session_id: session,
      }),
    (body) => [body.backend?.data.status ?? body.status ?? ''],
  )
  const query = '图片里的蓝色圆形在哪里?底部是什么颜色的横条?'
  await step(
    'Search this chat',
    `POST /memories/search {"scope":["current_chat"],"conversation_id":"demo","query":"${query}"}`,
    () => client.searchUntilFound({ scope: ['current_chat'], conversation_id: 'demo', query }),
    tellHits,
  )
}

async function playResources(client: Client, picture: File): Promise<Found> {
  const added = await step(
    'Upload a resource: a file that belongs to no chat',
    `POST /resources title="Demo picture" file=@${picture.name}`,
    () =>
      client.upload<{ resource_id: string; status: Stage }>('/resources', { title: 'Demo picture' }, { file: picture }),
    (body) => [`${body.resource_id}, ${body.status}`],
  )
  await step(
    'List the resources',
    'GET /resources',
    () => client.get<Listed>('/resources'),
    ({ resources }) => {
      if (!resources.some(({ resource_id }) => resource_id === added.resource_id))
        throw new DemoError('it is not in the list')
      return resources.map(({ resource_id, filename, status }) => `${resource_id} ${filename}, ${status}`)
    },
  )
  const query = '这张资源图片里有哪些几何图形和颜色?'
  return step(
    'Search the resources',
    `POST /memories/search {"scope":["resources"],"query":"${query}"}`,
    () => client.searchUntilFound({ scope: ['resources'], query }),
    tellHits,
  )
}

async function compareOriginal(client: Client, found: Found, picture: File): Promise<void> {
  const attachment = found.results.flatMap(({ attachments }) => attachments)[0]
  if (!attachment) throw new DemoError('the search gave no attachment back')
  const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
  const sent = sha256(await picture.bytes())
  await step(
    'Download the original',
    `GET ${attachment.url}`,
    () => client.download(attachment.url),
    (bytes) => {
      if (sha256(bytes) !== sent) throw new DemoError('the bytes that came back are not those that were sent')
      return [`${bytes.length} bytes, SHA-256 ${sent.slice(0, 12)}… as sent`]
    },
  )
}

interface Health {
  readonly status: string
  readonly backend: { readonly status: string; readonly base_url: string }
  readonly database: { readonly status: string; readonly kind: string }
  readonly object_store: { readonly status: string; readonly kind: string }
}

async function playTour(base: string): Promise<void> {
  await step(
    'Ask how the gateway is',
    'GET /health',
    () => new Client(base, undefined).get<Health>('/health'),
    ({ status, backend, database, object_store }) => [
      status,
      `backend ${backend.base_url} ${backend.status}, database ${database.kind} ${database.status}, object store ${object_store.kind} ${object_store.status}`,
    ],
  )
  const { id, client } = await createUser(base)
  const picture = testFile('simple-multimodal-image.png', 'image/png')
  await playChat(client, id, picture)
  await compareOriginal(client, await playResources(client, picture), picture)
}

interface OwnGateway extends AsyncDisposable {
  readonly base: string
}

/** A gateway on a free port with nothing but this folder: the settings of this environment do not reach it. */
async function startGateway(): Promise<OwnGateway> {
  const storage = mkdtempSync(join(tmpdir(), 'memory-gateway-demo-'))
  const foreign = new Set(Object.keys(envSchema.shape))
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.has(name)))
  const child = spawn(process.execPath, [join(root, 'src/main.ts')], {
    cwd: root,
    env: { ...env, PORT: '0', STORAGE_DIR: storage, LOG_FORMAT: 'json' },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: interrupted.signal,
  })
  const dispose = async () => {
    await stop(child)
    rmSync(storage, { recursive: true, force: true })
  }
  try {
    const base = await withProgress('Starting a gateway', () => addressOf(child))
    await waitUntilReady(base)
    return { base, [Symbol.asyncDispose]: dispose }
  } catch (error) {
    await dispose()
    throw error
  }
}

async function waitUntilReady(base: string): Promise<void> {
  const deadline = Date.now() + START_MS
  while (
    !(await fetch(`${base}/ready`).then(
      ({ ok }) => ok,
      () => false,
    ))
  ) {
    if (Date.now() > deadline) throw new DemoError('the gateway did not become ready')
    await pause(100)
  }
}

/** Its log line `ready` tells the address. */
function addressOf(child: ChildProcess): Promise<string> {
  const { stdout, stderr } = child
  if (!stdout || !stderr) throw new DemoError('the gateway has no output')
  const said: string[] = []
  return new Promise((found, failed) => {
    createInterface({ input: stderr }).on('line', (line) => said.push(line))
    createInterface({ input: stdout }).on('line', (line) => {
      const base = /"base":"([^"]+)"/.exec(line)?.[1]
      if (base) found(base)
    })
    child.once('error', failed)
    child.once('close', () => failed(new DemoError(`the gateway ended at once\n${said.join('\n')}`)))
  })
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await ended
  clearTimeout(late)
}

async function withProgress<T>(what: string, work: () => Promise<T>): Promise<T> {
  const start = performance.now()
  const { isTTY } = process.stdout
  if (!isTTY) say(`${what} …`)
  const ticker = setInterval(() => isTTY && process.stdout.write(`\r${what} … ${seconds(start)}`), 100)
  try {
    return await work()
  } finally {
    clearInterval(ticker)
    if (isTTY) process.stdout.write('\r\x1b[2K')
    say(style('dim', `${what}: ${seconds(start)}`))
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { url: { type: 'string' }, help: { type: 'boolean', short: 'h' } } })
  if (values.help) return say(HELP)
  await using own = values.url === undefined ? await startGateway() : undefined
  const base = own?.base ?? values.url?.replace(/\/+$/, '') ?? ''
  const start = performance.now()
  say(`Memory Gateway at ${style('bold', base)}`)
  await playTour(base)
  say(`\n${style('green', `The tour is over: every step as it should be, in ${seconds(start)}.`)}`)
  say(own ? 'The gateway and its data are removed. To keep one: npm start' : `Every route: ${base}/docs`)
}

try {
  await main()
} catch (error) {
  console.error(`\n${style('red', interrupted.signal.aborted ? 'Interrupted.' : messageOf(error))}`)
  process.exitCode = 1
}
