import { z } from 'zod'
import {
  type ChatMessage,
  type ChatReply,
  type ChatRequest,
  ModelError,
  type ModelProvider,
} from '../../ports/model-provider.ts'
import { jsonRequest, type OpenAiModelOptions, OpenAiServer, parseJson } from './openai-server.ts'

const WHO = 'The chat model'
/** Of an answer: more than the longest text that any model writes. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024
const CONNECTIONS = 64

const completion = z.object({
  choices: z.tuple([z.object({ message: z.object({ content: z.string() }) })], z.unknown()),
  usage: z.object({ prompt_tokens: z.int().min(0), completion_tokens: z.int().min(0) }).nullish(),
})
/** Some local servers give what a model thinks before it answers as part of the answer. */
const THOUGHTS = /^\s*<think>[\s\S]*?<\/think>/

/** Any server with OpenAI's `POST /chat/completions`: OpenAI itself, vLLM, Ollama, and most others. */
export function createOpenAiCompatibleModel(options: OpenAiModelOptions): ModelProvider {
  return new OpenAiCompatibleModel(options)
}

class OpenAiCompatibleModel implements ModelProvider {
  readonly model: string
  readonly #server: OpenAiServer

  constructor(options: OpenAiModelOptions) {
    this.model = options.model
    this.#server = new OpenAiServer(options, {
      path: '/chat/completions',
      who: WHO,
      connections: CONNECTIONS,
      maxAnswerBytes: MAX_ANSWER_BYTES,
    })
  }

  async complete(request: ChatRequest, signal?: AbortSignal): Promise<ChatReply> {
    return readReply(await this.#server.post(() => jsonRequest(this.#bodyOf(request)), signal))
  }

  close(): Promise<void> {
    return this.#server.close()
  }

  #bodyOf({ messages, maxTokens, schema }: ChatRequest): Record<string, unknown> {
    // OpenAI's newer models refuse the old name, and older servers do not know the new one.
    const limit = this.#server.url.hostname === 'api.openai.com' ? 'max_completion_tokens' : 'max_tokens'
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
