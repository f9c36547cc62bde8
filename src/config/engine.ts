import type { Env } from './env.ts'

/** A model, and the OpenAI-compatible server that has it. */
export interface ModelServer {
  readonly model: string
  readonly baseUrl: string
  readonly apiKey: string | undefined
  readonly timeoutMs: number
}

export interface EngineConfig {
  /** Undefined: search goes by words alone. */
  readonly embedding: ModelServer | undefined
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
    embedding: env.EMBEDDING_MODEL
      ? {
          model: env.EMBEDDING_MODEL,
          baseUrl: env.EMBEDDING_BASE_URL ?? baseUrl,
          // A key goes only to the server that it is for.
          apiKey: env.EMBEDDING_API_KEY ?? (env.EMBEDDING_BASE_URL ? undefined : apiKey),
          timeoutMs: env.EMBEDDING_TIMEOUT_MS,
        }
      : undefined,
    transcription: env.TRANSCRIPTION_MODEL
      ? { model: env.TRANSCRIPTION_MODEL, baseUrl, apiKey, timeoutMs: env.CHAT_TIMEOUT_MS }
      : undefined,
    extractionTokensPerDay: env.EXTRACTION_TOKENS_PER_DAY,
    ocrLanguages: env.OCR_LANGUAGES?.split('+') ?? [],
    keepGps: env.KEEP_GPS,
  }
}
