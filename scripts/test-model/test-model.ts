import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { answerFrom } from './answer.ts'
import { type Answer, Refusal, type Reply, tokensOf } from './conversation.ts'
import { chatCompletions } from './formats/chat-completions.ts'
import type { TestFormat } from './formats/format.ts'
import { messagesFormat } from './formats/messages.ts'
import { responses } from './formats/responses.ts'

// A server that stands where a model provider would. See README.md.

export const TEST_MODEL = 'test-model'

/** What reached the server, as it came, and what became of its answer. */
export interface TestModelRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly raw: Buffer
  // oxlint-disable-next-line typescript/no-explicit-any -- bodies are looked at freely
  readonly body: any
  /** `left`: the caller went before the end; `broken`: the server broke off, as it was told to. */
  readonly state: 'open' | 'answered' | 'left' | 'broken'
  /** Milliseconds, of `performance.now()`; undefined while it is open. */
  readonly endedAt: number | undefined
}

/** How one request is to be answered, where it is not simply answered. */
export interface Behaviour {
  /** Says this instead. */
  readonly text?: string
  /** This answer instead: an error, a page. The body of an error, if none is given, is the format's own. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Milliseconds before the first byte, and between the events of a stream. */
  readonly waitMs?: number
  readonly paceMs?: number
  /** Events after which the connection breaks, or nothing more comes. */
  readonly breakAfter?: number
  readonly stallAfter?: number
}

export interface TestModel extends AsyncDisposable {
  /** With `/v1`, as an `OPENAI_BASE_URL` is. */
  readonly baseUrl: string
  readonly requests: readonly TestModelRequest[]
  /** From now on; undefined: it simply answers again. */
  behave(how: ((request: TestModelRequest) => Behaviour | undefined) | Behaviour | undefined): void
}

const MODELS = [TEST_MODEL, 'test-model-mini']

/** Listens on loopback, on a free port unless one is given. Ends with its connections when it is disposed. */
export async function startTestModel({ port = 0 }: { readonly port?: number } = {}): Promise<TestModel> {
  const requests: TestModelRequest[] = []
  const formats = [chatCompletions, messagesFormat(), responses]
  let behaviour: (request: TestModelRequest) => Behaviour | undefined = () => undefined
  const server = createServer((incoming, response) => {
    void take(incoming, response, { requests, formats, behaviour: (request) => behaviour(request) }).catch(
      (error: Error) => {
        response.destroy(error)
      },
    )
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    behave(how) {
      behaviour = typeof how === 'function' ? how : () => how
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}

type Recorded = { -readonly [Key in keyof TestModelRequest]: TestModelRequest[Key] }

interface Server {
  readonly requests: TestModelRequest[]
  readonly formats: readonly TestFormat[]
  readonly behaviour: (request: TestModelRequest) => Behaviour | undefined
}

async function take(incoming: IncomingMessage, response: ServerResponse, server: Server): Promise<void> {
  const { requests, formats, behaviour } = server
  const raw = await bodyOf(incoming)
  const path = new URL(incoming.url ?? '/', 'http://test-model').pathname
  const { method = '', headers } = incoming
  const request: Recorded = { method, path, headers, raw, body: json(raw), state: 'open', endedAt: undefined }
  const number = requests.push(request)
  response.once('close', () => {
    if (request.state === 'open') request.state = response.writableFinished ? 'answered' : 'left'
    request.endedAt = performance.now()
  })
  const how = behaviour(request) ?? {}
  if (how.waitMs) await pause(how.waitMs)
  const format = formats.find((one) => path.endsWith(one.path))
  if (how.status !== undefined) {
    const text = `test-model was told to answer ${how.status}`
    return end(response, how.status, how.body ?? (format ?? chatCompletions).error(how.status, text), how.headers)
  }
  if (method === 'GET' && path.endsWith('/models')) return end(response, 200, modelList(headers))
  if (method !== 'POST' || !format) {
    return end(response, 404, chatCompletions.error(404, `test-model has no ${method} ${path}`))
  }
  try {
    await answer(format, replyTo(format, request, number, how.text), request, response, how)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    end(response, error.status, format.error(error.status, error.message))
  }
}

async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

function json(raw: Buffer): unknown {
  try {
    return JSON.parse(raw.toString())
  } catch {
    return undefined
  }
}

function replyTo(format: TestFormat, { body, raw }: TestModelRequest, number: number, told: string | undefined): Reply {
  if (body === undefined) throw new Refusal('The body is no JSON.')
  const conversation = format.read(body)
  const said: Answer = told === undefined ? answerFrom(conversation, number) : { text: told, calls: [] }
  const output = tokensOf(said.text) + said.calls.reduce((sum, call) => sum + tokensOf(call.arguments), 0)
  return { ...said, number, conversation, usage: { input: tokensOf(raw.toString('latin1')), output } }
}

async function answer(
  format: TestFormat,
  reply: Reply,
  request: Recorded,
  response: ServerResponse,
  how: Behaviour,
): Promise<void> {
  if (!reply.conversation.isStream) return end(response, 200, format.answer(reply), how.headers)
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache', ...how.headers })
  for (const [index, event] of format.events(reply).entries()) {
    if (index === how.stallAfter) return
    if (index === how.breakAfter) {
      request.state = 'broken'
      response.destroy()
      return
    }
    if (response.destroyed) return
    if (index > 0 && how.paceMs) await pause(how.paceMs)
    if (!response.write(event)) await drained(response)
  }
  response.end()
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    response.once('drain', resolve)
    response.once('close', resolve)
  })
}

function end(
  response: ServerResponse,
  status: number,
  body: object | string,
  headers: Behaviour['headers'] = {},
): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  response.writeHead(status, { 'content-type': 'application/json', 'x-request-id': 'req_test_model', ...headers })
  response.end(text)
}

/** As OpenAI lists its models, or as Anthropic does. */
function modelList(headers: IncomingHttpHeaders): object {
  if (!headers['anthropic-version']) {
    const data = MODELS.map((id) => ({ id, object: 'model', created: 1_700_000_000, owned_by: TEST_MODEL }))
    return { object: 'list', data }
  }
  const created = '2023-11-14T22:13:20Z'
  const data = MODELS.map((id) => ({ type: 'model', id, display_name: id, created_at: created }))
  return { data, has_more: false, first_id: MODELS[0], last_id: MODELS.at(-1) }
}
