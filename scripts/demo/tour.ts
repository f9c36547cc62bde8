import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { Client, testFile } from './client.ts'
import { type Answer, DemoError, step, style } from './terminal.ts'

/** A backend may index after it has answered. */
const FIND_MS = 60_000

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

async function searchUntilFound(client: Client, body: object): Promise<Answer<Found>> {
  const deadline = Date.now() + FIND_MS
  for (;;) {
    const answer = await client.post<Found>('/memories/search', body, [200])
    if (answer.body.results.length > 0) return answer
    if (Date.now() > deadline) throw new DemoError(`nothing was found within ${FIND_MS / 1000} s`)
    await pause(500)
  }
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

async function playConversation(client: Client, userId: string, picture: File): Promise<void> {
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
    () => searchUntilFound(client, { scope: ['current_chat'], conversation_id: 'demo', query }),
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
    () => searchUntilFound(client, { scope: ['resources'], query }),
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

/** The tour of docs/curl-examples.md. */
export async function playTour(base: string): Promise<void> {
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
  await playConversation(client, id, picture)
  await compareOriginal(client, await playResources(client, picture), picture)
}
