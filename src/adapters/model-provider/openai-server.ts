import type { Readable } from 'node:stream'
import { Agent, type Dispatcher } from 'undici'
import { z } from 'zod'
import { ModelError } from '../../ports/model-provider.ts'
import { retrySeconds } from './retry-after.ts'

const CONNECT_TIMEOUT_MS = 2_000
const MAX_ERROR_BYTES = 64 * 1024

/** Statuses below 500 that a later try may not meet. */
const PASSING = new Set([408, 409, 425, 429])
/** Statuses that every request meets until an operator acts: no or a wrong key, no means, not allowed, no such model or path. */
const OPERATOR = new Set([401, 402, 403, 404, 405])

const failureAnswer = z.object({ error: z.object({ code: z.string().nullish(), type: z.string().nullish() }) })
/** A provider's code for what went wrong; anything else might quote the request or the key. */
const CODE = /^[a-z0-9_.-]{1,64}$/i

/** A model, and the server with OpenAI's API that has it. */
export interface OpenAiModelOptions {
  readonly model: string
  /** With the version: `https://api.openai.com/v1`. */
  readonly baseUrl: string
  /** Undefined for a server that asks for none. */
  readonly apiKey: string | undefined
  /** Of a whole call. */
  readonly timeoutMs: number
}

export interface OpenAiRequest {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Readable
}

export function jsonRequest(body: unknown): OpenAiRequest {
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
}

/** One path of such a server. Redirects are not followed; failures are `ModelError`s, which quote neither key nor texts. */
export class OpenAiServer {
  readonly url: URL
  readonly #options: OpenAiModelOptions
  readonly #who: string
  readonly #maxAnswerBytes: number
  readonly #agent: Agent

  /** `who` begins the messages of errors: "The chat model". */
  constructor(
    options: OpenAiModelOptions,
    {
      path,
      who,
      connections,
      maxAnswerBytes,
    }: { path: string; who: string; connections: number; maxAnswerBytes: number },
  ) {
    this.#options = options
    this.#who = who
    this.#maxAnswerBytes = maxAnswerBytes
    this.url = new URL(options.baseUrl)
    this.url.pathname = `${this.url.pathname.replace(/\/+$/, '')}${path}`
    this.#agent = new Agent({
      connections,
      pipelining: 1,
      allowH2: false,
      connect: { timeout: CONNECT_TIMEOUT_MS },
      // The call's own time limit is the only one.
      headersTimeout: 0,
      bodyTimeout: 0,
    })
  }

  /** Resolves with the text of an answer of success. `prepare` makes the request, within the time limit of the call. */
  async post(
    prepare: (signal: AbortSignal) => OpenAiRequest | Promise<OpenAiRequest>,
    outer: AbortSignal | undefined,
  ): Promise<string> {
    outer?.throwIfAborted()
    const { timeoutMs } = this.#options
    const limit = AbortSignal.timeout(timeoutMs)
    const signal = outer ? AbortSignal.any([outer, limit]) : limit
    try {
      const answer = await this.#request(await prepare(signal), signal)
      const { statusCode: status } = answer
      if (status < 200 || status >= 300) throw await refusal(this.#who, answer)
      return await readText(this.#who, answer.body, this.#maxAnswerBytes)
    } catch (error) {
      if (error instanceof ModelError) throw error
      // Not the error itself, which speaks of undici.
      outer?.throwIfAborted()
      const message = limit.aborted
        ? `${this.#who} did not answer within ${timeoutMs} ms.`
        : `${this.#who} cannot be reached, or broke off its answer.`
      throw new ModelError('unavailable', message, { cause: error })
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }

  #request({ headers, body }: OpenAiRequest, signal: AbortSignal): Promise<Dispatcher.ResponseData<unknown>> {
    const { apiKey } = this.#options
    return this.#agent.request({
      origin: this.url.origin,
      path: `${this.url.pathname}${this.url.search}`,
      method: 'POST',
      headers: {
        accept: 'application/json',
        ...headers,
        ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
      },
      body,
      signal,
    })
  }
}

/** What an answer means that is none of success. `who` begins the message: "The chat model". */
async function refusal(
  who: string,
  { statusCode, headers, body }: Dispatcher.ResponseData<unknown>,
): Promise<ModelError> {
  const code = await errorCode(body)
  const said = code === undefined ? `HTTP ${statusCode}` : `HTTP ${statusCode} ${code}`
  const mayPass = statusCode >= 500 || PASSING.has(statusCode)
  const hint = statusCode < 400 ? ': a redirect, which is not followed' : ''
  const retryAfter = retrySeconds(headers['retry-after'])
  return new ModelError(mayPass ? 'unavailable' : 'rejected', `${who} answered ${said}${hint}.`, {
    ...(retryAfter !== undefined && { retryAfter }),
    needsOperator: statusCode < 400 || OPERATOR.has(statusCode),
  })
}

/** Nothing else of an error's text: it may quote the key or the messages. */
async function errorCode(body: AsyncIterable<Buffer>): Promise<string | undefined> {
  try {
    const answer = failureAnswer.parse(JSON.parse(await readText('', body, MAX_ERROR_BYTES)))
    const code = answer.error.code ?? answer.error.type
    return typeof code === 'string' && CODE.test(code) ? code : undefined
  } catch {
    return undefined
  }
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

async function readText(who: string, body: AsyncIterable<Buffer>, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > maxBytes) throw new ModelError('unavailable', `${who}'s answer is longer than ${maxBytes} bytes.`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
