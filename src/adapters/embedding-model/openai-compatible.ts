import { z } from 'zod'
import type { EmbeddingModel } from '../../ports/embedding-model.ts'
import { ModelError } from '../../ports/model-provider.ts'
import { jsonRequest, type OpenAiModelOptions, OpenAiServer, parseJson } from '../model-provider/openai-server.ts'
import { toUnitVectors } from './unit-vectors.ts'

const WHO = 'The embedding model'
/** Text Embeddings Inference takes no more, unless told to. */
const BATCH_SIZE = 32
/** Beyond what models read of a text. */
const LONGEST_TEXT = 8_000
/** Of an answer: 32 vectors of 4096 numbers, and more. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024
const CONNECTIONS = 16

const answerSchema = z.object({ data: z.array(z.object({ index: z.int().min(0), embedding: z.unknown() })) })

/** Any server with OpenAI's `POST /embeddings`: OpenAI itself, Ollama, vLLM, Text Embeddings Inference, llama.cpp and most others. */
export function createOpenAiCompatibleEmbedding(options: OpenAiModelOptions): EmbeddingModel {
  return new OpenAiCompatibleEmbedding(options)
}

class OpenAiCompatibleEmbedding implements EmbeddingModel {
  readonly model: string
  readonly batchSize = BATCH_SIZE
  readonly #server: OpenAiServer

  constructor(options: OpenAiModelOptions) {
    this.model = options.model
    this.#server = new OpenAiServer(options, {
      path: '/embeddings',
      who: WHO,
      connections: CONNECTIONS,
      maxAnswerBytes: MAX_ANSWER_BYTES,
    })
  }

  async embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]> {
    if (texts.length === 0) return []
    if (texts.length > BATCH_SIZE) throw new RangeError(`At most ${BATCH_SIZE} texts in one call.`)
    const input = texts.map((text) => text.slice(0, LONGEST_TEXT).toWellFormed())
    const request = () => jsonRequest({ model: this.model, input, encoding_format: 'float' })
    return readVectors(await this.#server.post(request, signal), texts.length)
  }

  close(): Promise<void> {
    return this.#server.close()
  }
}

/** The server may give them in another order than that of the texts. */
function readVectors(text: string, expected: number): Float32Array[] {
  const answer = answerSchema.safeParse(parseJson(text))
  if (!answer.success) throw unusable('data')
  const { data } = answer.data
  const ordered = Array.from<unknown>({ length: expected })
  for (const { index, embedding } of data) if (index < expected) ordered[index] = embedding
  if (data.length !== expected || ordered.includes(undefined)) throw unusable('not one vector for each text')
  const vectors = toUnitVectors(ordered)
  if (typeof vectors === 'string') throw unusable(vectors)
  return vectors
}

function unusable(what: string): ModelError {
  return new ModelError('unavailable', `${WHO} gave no usable answer (${what}).`)
}
