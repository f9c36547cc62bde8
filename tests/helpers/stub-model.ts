import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import { documentTerms } from '../../src/text/tokenise.ts'
import { startRawServer } from './raw-server.ts'

/** What the stub was asked. */
export interface StubRequest {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly model: string
  readonly messages: readonly { readonly role: string; readonly content: string }[]
  /** Name of the JSON schema that the answer is to have. */
  readonly schema: string | undefined
}

/** How the next requests are to go wrong. */
export type Misbehaviour =
  | { readonly text: string }
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string }
  /** No answer at all, a page, 10 MB, a connection that breaks within the answer, JSON of another API. */
  | 'silence'
  | 'html'
  | 'huge'
  | 'broken'
  | 'other_json'

export interface StubModel {
  readonly baseUrl: string
  /** For `startGateway`. */
  readonly settings: Record<string, string>
  readonly requests: StubRequest[]
  /** From now on, for so many requests; then it answers as before. */
  misbehave(how: Misbehaviour, times?: number): void
  behave(): void
  close(): Promise<void>
}

export const STUB_KEY = 'sk-stub-secret-0123456789'

/**
 * An OpenAI-compatible `/v1/chat/completions` on loopback. A chat it answers with the memory in the prompt that shares most words with the
 * message, said to "you" ("You are building a SaaS dashboard in React."), or that it does not know; extraction, summaries,
 * observations and answers from memories, with JSON made of the data in the prompt.
 */
export async function startStubModel(): Promise<StubModel> {
  const requests: StubRequest[] = []
  let wrong: { how: Misbehaviour; left: number } | undefined
  const server = await startRawServer((incoming, response) => {
    const request = readRequest(incoming.url ?? '', incoming.headers, server.bodies.at(-1) ?? Buffer.alloc(0))
    requests.push(request)
    if (wrong && wrong.left > 0) {
      wrong.left--
      return failAs(wrong.how, response)
    }
    if (request.path !== '/v1/chat/completions') return send(response, 404, '{"error":{"code":"not_found"}}')
    return send(response, 200, completionOf(answerTo(request), request))
  })
  const baseUrl = `${server.url}/v1`
  return {
    baseUrl,
    settings: {
      CHAT_MODEL: 'stub',
      OPENAI_BASE_URL: baseUrl,
      OPENAI_API_KEY: STUB_KEY,
      // Otherwise every flush would be among the requests.
      EXTRACTION_TOKENS_PER_DAY: '0',
    },
    requests,
    misbehave(how, times = Number.POSITIVE_INFINITY) {
      wrong = { how, left: times }
    },
    behave() {
      wrong = undefined
    },
    close: () => server.close(),
  }
}

function readRequest(path: string, headers: IncomingHttpHeaders, body: Buffer): StubRequest {
  const { model, messages, response_format: format } = JSON.parse(body.toString() || '{}')
  return { path, headers, model, messages: (messages ?? []).map(asText), schema: format?.json_schema?.name }
}

/** Of content in parts the text, with `[picture]` for each picture. */
function asText({ role, content }: { role: string; content: string | { type: string; text?: string }[] }) {
  if (typeof content === 'string') return { role, content }
  return { role, content: content.map(({ text }) => text ?? '[picture]').join('\n') }
}

function send(response: ServerResponse, status: number, body: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body)
}

export function completionOf(text: string, request: Pick<StubRequest, 'messages'>): string {
  const read = request.messages.reduce((total, { content }) => total + Math.ceil(content.length / 4), 0)
  return JSON.stringify({
    id: 'chatcmpl-stub',
    object: 'chat.completion',
    model: 'stub',
    choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }],
    usage: { prompt_tokens: read, completion_tokens: Math.ceil(text.length / 4), total_tokens: read },
  })
}

function failAs(how: Misbehaviour, response: ServerResponse): void {
  if (how === 'silence') return
  if (how === 'html') return send(response, 200, '<!doctype html><p>Sign in', { 'content-type': 'text/html' })
  if (how === 'huge') return send(response, 200, completionOf('x'.repeat(10_000_000), { messages: [] }))
  if (how === 'other_json') return send(response, 200, '{"result":"none of that"}')
  if (how === 'broken') {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
    response.write('{"choices":[', () => response.destroy())
    return
  }
  if ('text' in how) return send(response, 200, completionOf(how.text, { messages: [] }))
  send(response, how.status, how.body ?? '{"error":{"message":"secret inner text"}}', how.headers)
}

function answerTo(request: StubRequest): string {
  const prompt = request.messages.map(({ content }) => content).join('\n')
  const last = request.messages.at(-1)?.content ?? ''
  if (request.schema === 'memories') return JSON.stringify({ memories: memoriesIn(prompt) })
  if (request.schema === 'facts') return JSON.stringify({ facts: factsIn(itemsOf(prompt, 'conversation')) })
  if (request.schema === 'summary') {
    const texts = itemsOf(prompt, 'texts')
    return JSON.stringify({ summary: `In short: ${texts.join(' ')}`.slice(0, 200), key_points: texts.slice(0, 3) })
  }
  if (request.schema === 'answer') {
    const best = closest(itemsOf(prompt, 'memories'), itemsOf(prompt, 'question').join(' '))
    return JSON.stringify({ answer: best?.text ?? 'The memories do not tell.', sources: best ? [best.number] : [] })
  }
  if (request.schema === 'observations') return JSON.stringify(observationsOf(itemsOf(prompt, 'conversation')))
  if (request.schema === 'reflection') return JSON.stringify({ observations: latestNote(itemsOf(prompt, 'notes')) })
  const best = closest(itemsOf(prompt, 'memories'), last)
  return best ? saidToYou(best.text) : 'I do not know that about you.'
}

/** Which of the texts shares most words with the question, and its number from 1; undefined if none has any. */
function closest(texts: readonly string[], question: string): { text: string; number: number } | undefined {
  const asked = wordsOf(question)
  const [best] = texts
    .map((text, index) => ({
      text,
      number: index + 1,
      shared: wordsOf(text).filter((word) => asked.includes(word)).length,
    }))
    .toSorted((one, other) => other.shared - one.shared)
  return best && best.shared > 0 ? best : undefined
}

/** The items of the last block of that name. */
function itemsOf(prompt: string, name: string): string[] {
  const block = prompt.split(`\n<${name}>\n`).at(-1) ?? prompt
  const inner = (block.startsWith(`<${name}>\n`) ? block.slice(name.length + 3) : block).split(`\n</${name}>`)[0] ?? ''
  return inner.split(/\n(?=\d+\. )/).flatMap((item) => (/^\d+\. /.test(item) ? [item.replace(/^\d+\. /, '')] : []))
}

/** What users say, and the assistant too if that is asked for; questions are none. */
function memoriesIn(prompt: string) {
  const asked = prompt.includes('"The assistant said:"') ? ['user', 'assistant'] : ['user']
  return itemsOf(prompt, 'conversation').flatMap((message, index) => {
    const [, role = '', text = ''] = /^(\w+): (.*)$/s.exec(message) ?? []
    if (!asked.includes(role) || text.trim().endsWith('?')) return []
    const said =
      role === 'user'
        ? { content: text, confidence: 0.77 }
        : { content: `The assistant said: ${text}`, confidence: 0.3 }
    return [{ ...said, type: 'fact', importance: 0.66, key_points: [], sources: [index + 1] }]
  })
}

/** Of each message of a user that is no question: that it is a fact. */
function factsIn(messages: readonly string[]) {
  return messages.flatMap((message, index) => {
    const [, text = ''] = /^\[[^\]]*\] (?:The user|.* \(user\)): (.*)$/s.exec(message) ?? []
    if (text === '' || text.trim().endsWith('?')) return []
    const fact = { text: `It was stated: ${text}`, type: 'fact', confidence: 0.7, occurred_at: null }
    return [{ ...fact, sources: [index + 1], replaces: [] }]
  })
}

/** Of each message of a user that is no question: that they stated it. */
function observationsOf(messages: readonly string[]) {
  const observations = messages.flatMap((message, index) => {
    const [, text = ''] = /^(?:\[[^\]]* later\] )?\S+ \S+ user: (.*)$/s.exec(message) ?? []
    if (text === '' || text.trim().endsWith('?')) return []
    return [{ message: index + 1, priority: 'high', text: `User stated: ${text}`.slice(0, 900), details: [] }]
  })
  return { observations, current_task: '', next_step: '' }
}

/** Of a log the last note, on one line. */
function latestNote([log = '']: readonly string[]) {
  const date = log
    .match(/Date: (\S+)/g)
    ?.at(-1)
    ?.slice(6)
  const [, time, text] =
    log
      .match(/^ *\* \S+ \((\d\d:\d\d)\) (.*)$/gmu)
      ?.at(-1)
      ?.match(/\((\d\d:\d\d)\) (.*)$/) ?? []
  return date === undefined || time === undefined ? [] : [{ date, time, priority: 'high', text, details: [] }]
}

function wordsOf(text: string): string[] {
  return documentTerms(text).flatMap(({ term, kind }) => (kind === 'word' ? [term] : []))
}

/** "User is building …", "I am building …" → "You are building …". */
function saidToYou(text: string): string {
  const turned = text
    .replace(/^(?:The user|User|I) (?:is|am) /, 'You are ')
    .replace(/^(?:The user|User) (prefer|love|like|use|live|work)s /, 'You $1 ')
    .replace(/^I /, 'You ')
  return /[.!?]$/.test(turned) ? turned : `${turned}.`
}
