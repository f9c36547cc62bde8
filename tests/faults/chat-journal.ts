import { randomBytes } from 'node:crypto'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { type ProviderScript, type StubProvider, startStubProvider } from '../helpers/stub-provider.ts'
import { type Account, hashOf, type NewFile, newFile, type SentFile } from './journal.ts'
import { Decisions } from './random.ts'

/** The end of an answer is held until its exchange is saved, but no longer than 2 s. */
const HELD_AT_MOST_MS = 1_800
const WORDS = 12

/**
 * - `finished`: the client saw the end of the answer, so the exchange must be saved.
 * - `late`: the same, but the end came so late that it may not have been waited for.
 * - `cut`: no whole answer came: the exchange is saved or not, but never by half.
 * - `refused`: answered with an error, so nothing must be saved.
 */
export type ChatOutcome = 'finished' | 'late' | 'cut' | 'refused'

export interface SentChat {
  readonly user: Account
  readonly thread: string
  /** Who sent it: one client sends one chat after the other. */
  readonly client: string
  /** No two questions of a journal have the same. */
  readonly marker: string
  readonly files: readonly SentFile[]
  outcome: ChatOutcome
}

/** What came of a request, whatever became of it. */
export interface Seen {
  /** 0: no answer came. */
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
  /** The answer came to its end as HTTP has it. */
  readonly isWhole: boolean
  readonly ms: number
  /** `performance.now()` as it was over. */
  readonly overAt: number
}

export interface ChatCall {
  readonly url: string
  readonly key: string
  readonly thread?: { readonly id: string; readonly resource: string } | undefined
  readonly body: object | Buffer
  readonly headers?: Readonly<Record<string, string>>
  readonly path?: string
  /** Is told each time that something came; what it does with the request is the client's. */
  readonly onText?: (text: string, sent: ClientRequest) => void
}

/** Sends a chat on a connection of its own. Never rejects. */
export function chat({ url, key, thread, body, headers, path, onText }: ChatCall): Promise<Seen> {
  const start = performance.now()
  const { promise, resolve } = Promise.withResolvers<Seen>()
  let answer: IncomingMessage | undefined
  const pieces: Buffer[] = []
  const sent = request(`${url}${path ?? '/v1/chat/completions'}`, {
    method: 'POST',
    agent: false,
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
      ...(thread && { 'x-thread-id': thread.id, 'x-resource-id': thread.resource }),
      ...headers,
    },
  })
  sent.on('response', (response) => {
    answer = response
    response.on('error', () => {})
    response.on('data', (chunk: Buffer) => {
      pieces.push(chunk)
      onText?.(Buffer.concat(pieces).toString(), sent)
    })
  })
  sent.on('error', () => {})
  sent.on('close', () => {
    const overAt = performance.now()
    const { statusCode: status = 0, headers: came = {}, complete: isWhole = false } = answer ?? {}
    const text = Buffer.concat(pieces).toString()
    resolve({ status, headers: came, text, isWhole, ms: Math.round(overAt - start), overAt })
  })
  sent.end(Buffer.isBuffer(body) ? body : JSON.stringify(body))
  return promise
}

export function question(text: string, files: readonly NewFile[] = [], more: object = {}): object {
  const parts = files.map(({ kind, name, bytes }) => {
    const base64 = Buffer.from(bytes).toString('base64')
    return kind === 'image'
      ? { type: 'image_url', image_url: { url: `data:image/png;base64,${base64}` } }
      : { type: 'file', file: { filename: name, file_data: `data:text/plain;base64,${base64}` } }
  })
  const content = parts.length > 0 ? [{ type: 'text', text }, ...parts] : text
  return { model: 'local/small', messages: [{ role: 'user', content }], ...more }
}

export const delta = (content: string): string =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`
export const STOP = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
export const DONE = 'data: [DONE]\n\n'
export const completion = (text: string): string =>
  JSON.stringify({ choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }] })

/** What the answer to a question says, word by word; no other answer has one of the words. */
export function wordsOf(marker: string): string[] {
  return Array.from(
    { length: WORDS },
    (_, index) => `${index === 0 ? `a-${marker}` : `${marker.slice(0, 6)}w${index}`} `,
  )
}

export interface PacedProvider extends StubProvider {
  /** When the end of the answer to a question was sent, as `performance.now()` has it. */
  readonly endedAt: ReadonlyMap<string, number>
}

/** A provider that takes its time over each word of the answer to a question `q-{marker}`. */
export async function startPacedProvider(): Promise<PacedProvider> {
  const provider = await startStubProvider()
  const endedAt = new Map<string, number>()
  const answer: ProviderScript = async (response, { body }) => {
    const sent = JSON.parse(body.toString()) as { stream?: boolean; messages: { content: unknown }[] }
    const marker = /q-([0-9a-f]+)/.exec(JSON.stringify(sent.messages.at(-1)?.content))?.[1] ?? ''
    const decisions = new Decisions(`answer to ${marker}`)
    const words = wordsOf(marker)
    const most = decisions.pick([0, 5, 40])
    response.writeHead(200, { 'content-type': sent.stream ? 'text/event-stream' : 'application/json' })
    for (const word of words) {
      await pause(decisions.integer(0, most))
      if (response.destroyed) return
      if (sent.stream) response.write(delta(word))
    }
    endedAt.set(marker, performance.now())
    response.end(sent.stream ? STOP + DONE : completion(words.join('')))
  }
  provider.script('/chat/completions', answer)
  return { ...provider, endedAt }
}

/** What the clients know for certain, kept outside the processes that are killed. */
export class ChatJournal {
  readonly chats: SentChat[] = []
  readonly refusals: Record<string, number> = {}
  readonly #provider: PacedProvider

  constructor(provider: PacedProvider) {
    this.#provider = provider
  }

  count(outcome: ChatOutcome): number {
    return this.chats.filter((one) => one.outcome === outcome).length
  }

  async send(
    url: string,
    sender: Pick<SentChat, 'user' | 'thread' | 'client'>,
    decisions: Decisions,
  ): Promise<SentChat> {
    const files = Array.from({ length: decisions.pick([0, 0, 1, 2]) }, () => newFile(decisions.integer(200, 40_000)))
    const isStream = decisions.chance(0.6)
    const marker = randomBytes(9).toString('hex')
    const hashed = files.map(({ bytes }) => ({ size: bytes.length, sha256: hashOf(bytes) }))
    const sent: SentChat = { ...sender, marker, files: hashed, outcome: 'cut' }
    this.chats.push(sent)
    const { user, thread } = sender
    const seen = await chat({
      url,
      key: user.key,
      thread: { id: thread, resource: user.id },
      body: question(`This is q-${marker}`, files, isStream ? { stream: true } : {}),
    })
    sent.outcome = this.#outcomeOf(seen, marker, isStream)
    if (sent.outcome === 'refused') {
      const reason = `${seen.status} ${/"code":"(\w+)"/.exec(seen.text)?.[1] ?? ''}`
      this.refusals[reason] = (this.refusals[reason] ?? 0) + 1
    }
    return sent
  }

  #outcomeOf(seen: Seen, marker: string, isStream: boolean): ChatOutcome {
    if (seen.status >= 400) return 'refused'
    const isEnded = isStream ? seen.text.endsWith(DONE) : seen.isWhole && seen.status === 200
    if (!isEnded) return 'cut'
    const saw = seen.overAt - (this.#provider.endedAt.get(marker) ?? 0)
    return saw < HELD_AT_MOST_MS ? 'finished' : 'late'
  }
}
