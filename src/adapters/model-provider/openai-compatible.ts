import { Agent, type Dispatcher } from 'undici'
import { z } from 'zod'
import {
  type ChatMessage,
  type ChatReply,
  type ChatRequest,
  ModelError,
  type ModelProvider,
} from '../../ports/model-provider.ts'
import { retrySeconds } from './retry-after.ts'

export interface OpenAiCompatibleOptions {
  readonly model: string
  /** With the version: `https://api.openai.com/v1`. */
  readonly baseUrl: string
  /** Undefined for a server that asks for none. */
  readonly apiKey: string | undefined
  /** Of a whole call. */
  readonly timeoutMs: number
}

const CONNECT_TIMEOUT_MS = 2_000
/** Of an answer: more than the longest text that any model writes. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024
const MAX_ERROR_BYTES = 64 * 1024
const CONNECTIONS = 64

/** Statuses below 500 that a later try may not meet. */
const PASSING = new Set([408, 409, 425, 429])

const completion = z.object({
  choices: z.tuple([z.object({ message: z.object({ content: z.string() }) })], z.unknown()),
  usage: z.object({ prompt_tokens: z.int().min(0), completion_tokens: z.int().min(0) }).nullish(),
})
/** Some local servers give what a model thinks before it answers as part of the answer. */
const THOUGHTS = /^\s*<think>[\s\S]*?<\/think>/
const failureAnswer = z.object({ error: z.object({ code: z.string().nullish(), type: z.string().nullish() }) })
/** A provider's code for what went wrong; anything else might quote the request or the key. */
const CODE = /^[a-z0-9_.-]{1,64}$/i

/** Any server with OpenAI's `POST /chat/completions`: OpenAI itself, vLLM, Ollama, and most others. */
export function createOpenAiCompatibleModel(options: OpenAiCompatibleOptions): ModelProvider {
  return new OpenAiCompatibleModel(options)
}

class OpenAiCompatibleModel implements ModelProvider {
  readonly model: string
  readonly #options: OpenAiCompatibleOptions
  readonly #url: URL
  readonly #agent: Agent

  constructor(options: OpenAiCompatibleOptions) {
    this.model = options.model
    this.#options = options
    this.#url = new URL(options.baseUrl)
    this.#url.pathname = `${this.#url.pathname.replace(/\/+$/, '')}/chat/completions`
    this.#agent = new Agent({
      connections: CONNECTIONS,
      pipelining: 1,
      allowH2: false,
      connect: { timeout: CONNECT_TIMEOUT_MS },
      // The call's own time limit is the only one.
      headersTimeout: 0,
      bodyTimeout: 0,
    })
  }

  async complete(request: ChatRequest, signal?: AbortSignal): Promise<ChatReply> {
    signal?.throwIfAborted()
    const limit = AbortSignal.timeout(this.#options.timeoutMs)
    try {
      const answer = await this.#post(request, signal ? AbortSignal.any([signal, limit]) : limit)
      const status = answer.statusCode
      if (status < 200 || status >= 300) throw await refusal(answer)
      return readReply(await readText(answer.body, MAX_ANSWER_BYTES))
    } catch (error) {
      if (error instanceof ModelError) throw error
      // Not the error itself, which speaks of undici.
      signal?.throwIfAborted()
      const message = limit.aborted
        ? `The chat model did not answer within ${this.#options.timeoutMs} ms.`
        : 'The chat model cannot be reached, or broke off its answer.'
      throw new ModelError('unavailable', message, { cause: error })
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }

  #post(request: ChatRequest, signal: AbortSignal): Promise<Dispatcher.ResponseData<unknown>> {
    const { apiKey } = this.#options
    return this.#agent.request({
      origin: this.#url.origin,
      path: `${this.#url.pathname}${this.#url.search}`,
      method: 'POST',
      headers: {
        accept: 'application/json',
        'content-type': 'application/json',
        ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
      },
      body: JSON.stringify(this.#bodyOf(request)),
      signal,
    })
  }

  #bodyOf({ messages, maxTokens, schema }: ChatRequest): Record<string, unknown> {
    // OpenAI's newer models refuse the old name, and older servers do not know the new one.
    const limit = this.#url.hostname === 'api.openai.com' ? 'max_completion_tokens' : 'max_tokens'
    return {
      model: this.model,
      messages: messages.map(wireMessage),
      stream: false,
      ...(maxTokens !== undefined && { [limit]: maxTokens }),
      ...(schema && { response_format: { type: 'json_schema', json_schema: { ...schema, strict: true } } }),
    }
  }
}

function wireMessage({ role, content, pictures = [] }: ChatMessage) {
  if (pictures.length === 0) return { role, content }
  const shown = pictures.map(({ mimeType, base64 }) => ({
    type: 'image_url',
    image_url: { url: `data:${mimeType};base64,${base64}` },
  }))
  return { role, content: [{ type: 'text', text: content }, ...shown] }
}

async function refusal({ statusCode, headers, body }: Dispatcher.ResponseData<unknown>): Promise<ModelError> {
  const code = await errorCode(body)
  const said = code === undefined ? `HTTP ${statusCode}` : `HTTP ${statusCode} ${code}`
  const mayPass = statusCode >= 500 || PASSING.has(statusCode)
  const hint = statusCode < 400 ? ': a redirect, which is not followed' : ''
  const retryAfter = retrySeconds(headers['retry-after'])
  return new ModelError(mayPass ? 'unavailable' : 'rejected', `The chat model answered ${said}${hint}.`, {
    ...(retryAfter !== undefined && { retryAfter }),
  })
}

/** Nothing else of an error's text: it may quote the key or the messages. */
async function errorCode(body: AsyncIterable<Buffer>): Promise<string | undefined> {
  try {
    const answer = failureAnswer.parse(JSON.parse(await readText(body, MAX_ERROR_BYTES)))
    const code = answer.error.code ?? answer.error.type
    return typeof code === 'string' && CODE.test(code) ? code : undefined
  } catch {
    return undefined
  }
}

function readReply(text: string): ChatReply {
  const answer = completion.safeParse(parseJson(text))
  if (!answer.success) {
    const fields = [...new Set(answer.error.issues.map(({ path }) => path.join('.') || 'the whole'))].join(', ')
    throw new ModelError('unavailable', `The chat model gave no usable answer (${fields}).`)
  }
  const { choices, usage } = answer.data
  const said = choices[0].message.content.replace(THOUGHTS, '').trim()
  if (said === '') throw new ModelError('unavailable', 'The chat model gave no usable answer (no text).')
  return {
    text: said,
    tokens: usage ? { input: usage.prompt_tokens, output: usage.completion_tokens } : undefined,
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

async function readText(body: AsyncIterable<Buffer>, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > maxBytes)
      throw new ModelError('unavailable', `The chat model's answer is longer than ${maxBytes} bytes.`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
