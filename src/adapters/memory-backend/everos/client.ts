import type { Readable } from 'node:stream'
import { Agent, type Dispatcher } from 'undici'
import type { z } from 'zod'
import { Deadline } from './deadline.ts'
import { badAnswer, failure, refusal } from './errors.ts'
import { AnswerTooLargeError, readAnswer } from './read-answer.ts'
import type { RequestBody } from './request-body.ts'
import { parseJson } from './wire.ts'

const ERROR_ANSWER_BYTES = 64 * 1024

export interface Call {
  /** What follows the base URL. */
  readonly path: string
  readonly body?: RequestBody
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** Cut long strings out of the answer while it is read. */
  readonly shortened?: boolean
}

interface Answer {
  readonly status: number
  readonly text: string
  /** True if the request had been handed over whole when the answer came. */
  readonly sent: boolean
}

/** One HTTP call at a time limit, without redirects, retries or proxies. All failures are BackendErrors. */
export class EverosClient {
  readonly #baseUrl: URL
  readonly #agent: Agent
  readonly #maxAnswerBytes: number

  constructor(baseUrl: string, options: { connectMs: number; maxAnswerBytes: number }) {
    this.#baseUrl = new URL(baseUrl)
    this.#maxAnswerBytes = options.maxAnswerBytes
    this.#agent = new Agent({
      connections: 64,
      pipelining: 1,
      allowH2: false,
      connect: { timeout: options.connectMs },
      // The default server of EverOS closes idle connections after 5 s: be first, or a call meets a closing one.
      keepAliveTimeout: 4_000,
      headersTimeout: 0,
      bodyTimeout: 0,
    })
  }

  /** Posts the body, and takes a 2xx answer that fits the schema. */
  async post<T extends z.ZodType>(schema: T, call: Call & { body: RequestBody }): Promise<z.output<T>> {
    const { status, text, sent } = await this.exchange(call)
    const at = call.path
    if (status < 200 || status >= 300) throw refusal(status, text, at)
    if (!sent) throw badAnswer(false, at, 'it came before the request was complete')
    const parsed = schema.safeParse(parseJson(text))
    if (!parsed.success) throw badAnswer(true, at, 'its shape is not known', { cause: parsed.error })
    return parsed.data
  }

  /** The answer whatever its status, but for redirects: they point at a wrong base URL and are never followed. */
  async exchange(call: Call): Promise<Answer> {
    const progress = { sent: call.body === undefined }
    const deadline = new Deadline(call.timeoutMs, call.signal)
    const at = call.path
    try {
      deadline.signal.throwIfAborted()
      const response = await this.#request(call, progress, deadline.signal)
      const status = response.statusCode
      const maxBytes = status < 300 ? this.#maxAnswerBytes : ERROR_ANSWER_BYTES
      const text = await readAnswer(response.body, maxBytes, call.shortened ?? false)
      if (status < 300 || status >= 400) return { status, text, sent: progress.sent }
    } catch (cause) {
      if (cause instanceof AnswerTooLargeError) throw badAnswer(progress.sent, at, cause.message, { cause })
      throw failure({ at, cause, sent: progress.sent, timedOut: deadline.timedOut, aborted: deadline.signal.aborted })
    } finally {
      deadline.clear()
    }
    throw badAnswer(progress.sent, at, 'it is a redirect; set the base URL to where EverOS is', { needsOperator: true })
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }

  #request(call: Call, progress: { sent: boolean }, signal: AbortSignal): Promise<Dispatcher.ResponseData<unknown>> {
    const { body } = call
    return this.#agent.request({
      origin: this.#baseUrl.origin,
      path: `${this.#baseUrl.pathname.replace(/\/+$/, '')}${call.path}`,
      method: body ? 'POST' : 'GET',
      headers: {
        accept: 'application/json',
        ...(body && { 'content-type': 'application/json', 'content-length': String(body.length) }),
      },
      body: body ? asBody(counted(body, progress, signal)) : null,
      signal,
    })
  }
}

/** Marks the progress as sent just before the last byte is handed over. */
async function* counted(body: RequestBody, progress: { sent: boolean }, signal: AbortSignal): AsyncGenerator<Buffer> {
  let left = body.length
  for await (const chunk of body.chunks(signal)) {
    left -= chunk.length
    progress.sent = left <= 0
    yield chunk
  }
}

/** undici takes any async iterable, and writes it without a stream's read-ahead; its types name Readable alone. */
function asBody(chunks: AsyncIterable<Buffer>): Readable {
  return chunks as Readable
}
