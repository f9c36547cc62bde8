import type { Env } from './env.ts'

/** A model, and the OpenAI-compatible server that has it. */
export interface ModelServer {
  readonly model: string
  readonly baseUrl: string
  readonly apiKey: string | undefined
  readonly timeoutMs: number
}

/** A model whose weights lie in a folder, in ONNX. */
export interface ModelFolder {
  readonly folder: string
  /** For one text. */
  readonly timeoutMs: number
}

export interface EngineConfig {
  /** Undefined: search goes by words alone. */
  readonly embedding: ModelServer | ModelFolder | undefined
  /** Undefined: sounds are not transcribed. */
  readonly transcription: ModelServer | undefined
  /** What the chat model may cost for one user's memory in a day. */
  readonly extractionTokensPerDay: number
  /** Of Tesseract; empty: pictures of text are not read. */
  readonly ocrLanguages: readonly string[]
  /** Whether the place where a photo was taken is remembered. */
  readonly keepGps: boolean
}

export function engineConfig(env: Env): EngineConfig {
  const { OPENAI_BASE_URL: baseUrl, OPENAI_API_KEY: apiKey } = env
  return {
    embedding: embeddingConfig(env),
    transcription: env.TRANSCRIPTION_MODEL
      ? { model: env.TRANSCRIPTION_MODEL, baseUrl, apiKey, timeoutMs: env.CHAT_TIMEOUT_MS }
      : undefined,
    extractionTokensPerDay: env.EXTRACTION_TOKENS_PER_DAY,
    ocrLanguages: env.OCR_LANGUAGES?.split('+') ?? [],
    keepGps: env.KEEP_GPS,
  }
}

function embeddingConfig(env: Env): ModelServer | ModelFolder | undefined {
  const { EMBEDDING_MODEL: model, EMBEDDING_BASE_URL: ownUrl, EMBEDDING_API_KEY: ownKey } = env
  const timeoutMs = env.EMBEDDING_TIMEOUT_MS
  if (model === undefined) return undefined
  if (/^\.{0,2}\//.test(model)) return { folder: model, timeoutMs }
  // A key goes only to the server that it is for.
  const apiKey = ownKey ?? (ownUrl ? undefined : env.OPENAI_API_KEY)
  return { model, baseUrl: ownUrl ?? env.OPENAI_BASE_URL, apiKey, timeoutMs }
}
