import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { Client, testFile } from './client.ts'
import { type Answer, DemoError, say, step, style } from './terminal.ts'

/** Of the published first steps. */
const USUAL_MODEL = 'google/gemini-2.5-flash'
/** What was said is found by other threads as soon as the backend has it. */
const FIND_MS = 60_000
const QUESTION = 'Which shapes are in my picture?'

interface Completion {
  readonly choices: readonly { readonly message: { readonly content: string } }[]
}

interface Chunk {
  readonly choices: readonly { readonly delta: { readonly content?: string | null } }[]
}

interface ThreadList {
  readonly threads: readonly { readonly id: string; readonly resourceId: string }[]
  readonly total: number
}

/** Where the chat is played. */
interface Stage {
  readonly base: string
  readonly key: string
  readonly model: string
}

/**
 * The first steps of a chat with memory, and what goes beyond them: other threads, other users, pictures. With `adminKey` it makes an account of its
 * own. Without `model` it takes the usual one, if the gateway has it.
 */
export async function playChat(
  base: string,
  { adminKey, model }: { readonly adminKey: string | undefined; readonly model: string | undefined },
): Promise<void> {
  const key = await makeKey(base, adminKey)
  const stage = { base, key, model: await chooseModel(base, key, model) }
  // Nobody else's on a gateway that others use.
  const run = randomBytes(3).toString('hex')
  const alex = `user-42-${run}`
  const ask = (thread: string, resource: string, text: string) =>
    new Client(base, key, { 'x-thread-id': `${thread}-${run}`, 'x-resource-id': resource }).post<Completion>(
      '/v1/chat/completions',
      { model: stage.model, messages: [{ role: 'user', content: text }] },
    )
  await playFirstSteps(stage, alex, ask)
  await playOtherThreads(alex, `user-43-${run}`, ask)
  await playPicture(stage, { 'x-thread-id': `my-pictures-${run}`, 'x-resource-id': alex }, () =>
    askUntil(
      (_, headers) => headers.get('x-memory-status') === 'used',
      (attempt) => ask(`my-thread-3${attempt}`, alex, QUESTION),
    ),
  )
  const listed = `/v1/memory/threads?resourceId=${alex}`
  await step(
    'List the threads of that user',
    `GET ${listed}`,
    () => new Client(base, key).get<ThreadList>(listed),
    ({ threads, total }) => [`${total}: ${threads.map(({ id }) => id).join(', ')}`],
  )
}

type Ask = (thread: string, resource: string, text: string) => Promise<Answer<Completion>>

async function playFirstSteps({ base, key, model }: Stage, alex: string, ask: Ask): Promise<void> {
  const body = { model, messages: [{ role: 'user', content: 'Hello World!' }] }
  await step(
    'Make a first request',
    `POST /v1/chat/completions ${JSON.stringify(body)}`,
    () => new Client(base, key).post<Completion>('/v1/chat/completions', body),
    tell,
  )
  const introduction = 'My name is Alex and I prefer concise answers.'
  await step(
    'Add memory: a thread, and the user that it belongs to',
    `x-thread-id: my-thread-1, x-resource-id: user-42 "${introduction}"`,
    () => ask('my-thread-1', alex, introduction),
    tell,
  )
  await step(
    'Ask in the same thread; only the question is sent',
    'x-thread-id: my-thread-1, x-resource-id: user-42 "What is my name?"',
    () => ask('my-thread-1', alex, 'What is my name?'),
    (answer, headers) => {
      if (!textOf(answer).includes('Alex')) throw new DemoError(`it does not know the name: ${textOf(answer)}`)
      return tell(answer, headers)
    },
  )
}

async function playOtherThreads(alex: string, other: string, ask: Ask): Promise<void> {
  await step(
    'Ask in another thread of that user',
    'x-thread-id: my-thread-2, x-resource-id: user-42 "What is my name?"',
    () =>
      askUntil(
        (answer) => answer.includes('Alex'),
        (attempt) => ask(`my-thread-2${attempt}`, alex, 'What is my name?'),
      ),
    tell,
  )
  await step(
    'Ask as another user, who said nothing',
    'x-thread-id: your-thread, x-resource-id: user-43 "What is my name?"',
    () => ask('your-thread', other, 'What is my name?'),
    (answer, headers) => {
      if (textOf(answer).includes('Alex')) throw new DemoError(`it tells the name of another: ${textOf(answer)}`)
      return tell(answer, headers)
    },
  )
}

/** Asks until the answer is right, each time in a new thread: what was answered before is no help. */
async function askUntil(
  isRight: (answer: string, headers: Headers) => boolean,
  ask: (attempt: string) => Promise<Answer<Completion>>,
): Promise<Answer<Completion>> {
  const deadline = Date.now() + FIND_MS
  for (let attempt = 1; ; attempt++) {
    const answer = await ask(attempt === 1 ? '' : `-${attempt}`)
    if (isRight(textOf(answer.body), answer.headers)) return answer
    if (Date.now() > deadline) throw new DemoError(`it does not know: ${textOf(answer.body)}`)
    await pause(1_000)
  }
}

async function playPicture(
  { base, key, model }: Stage,
  thread: Readonly<Record<string, string>>,
  askLater: () => Promise<Answer<Completion>>,
): Promise<void> {
  const picture = testFile('simple-multimodal-image.png', 'image/png')
  const url = `data:image/png;base64,${Buffer.from(await picture.bytes()).toString('base64')}`
  const text = 'This is my picture of shapes. What do you see in this picture?'
  const content = [
    { type: 'text', text },
    { type: 'image_url', image_url: { url } },
  ]
  const body = { model, stream: true, messages: [{ role: 'user', content }] }
  const said: string[] = []
  await step(
    'Show a picture, and have the answer streamed',
    `x-thread-id: my-pictures, x-resource-id: user-42 "${text}" data:image/png;base64,…`,
    () =>
      new Client(base, key, thread).stream('/v1/chat/completions', body, (event) => {
        said.push((event as Chunk).choices[0]?.delta.content ?? '')
      }),
    (firstMs, headers) => [
      style('cyan', said.join('').trim()),
      ...used(headers),
      `first byte after ${firstMs.toFixed(0)} ms, ${said.length} events`,
    ],
  )
  await step(
    'Ask for it in another thread',
    `x-thread-id: my-thread-3, x-resource-id: user-42 "${QUESTION}"`,
    askLater,
    tell,
  )
}

async function makeKey(base: string, adminKey: string | undefined): Promise<string> {
  const operator = new Client(base, adminKey)
  const { api_key: key } = await step(
    'Make an account with a key for an application',
    'POST /admin/accounts, POST /admin/accounts/{account_id}/keys',
    async () => {
      const { body: account } = await operator.post<{ account_id: string }>('/admin/accounts', { name: 'Demo' })
      return operator.post<{ api_key: string }>(`/admin/accounts/${account.account_id}/keys`, { name: 'demo' })
    },
    (body) => [`${body.api_key.slice(0, 12)}… (shown once)`],
  )
  return key
}

async function chooseModel(base: string, key: string, given: string | undefined): Promise<string> {
  if (given !== undefined) return given
  const { body } = await new Client(base, key).get<{ data: readonly { id: string }[] }>('/v1/models')
  const names = body.data.map(({ id }) => id)
  const found = names.find((name) => name === USUAL_MODEL) ?? names.find((name) => name.endsWith(`/${USUAL_MODEL}`))
  if (found !== undefined) {
    say(`Model: ${style('bold', found)} (another one: --model)`)
    return found
  }
  const some = names.slice(0, 12).join(', ')
  throw new DemoError(
    `Choose a model with --model provider/name. The gateway offers ${some || 'none: set the key of a provider'}`,
  )
}

const textOf = ({ choices }: Completion) => choices[0]?.message.content ?? ''

const tell = (answer: Completion, headers: Headers) => [style('cyan', textOf(answer)), ...used(headers)]

/** What the gateway says of the memory that it used. */
function used(headers: Headers): string[] {
  const named = [...headers].filter(([name]) => name.startsWith('x-memory-'))
  return named.length === 0 ? [] : [style('dim', named.map(([name, value]) => `${name}: ${value}`).join('  '))]
}
