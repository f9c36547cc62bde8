import { z } from 'zod'
import { httpUrl, modelFallbacksSetting, modelProvidersSetting, PROVIDER_URLS, providerKey } from './model-providers.ts'

const MIB = 1024 * 1024

/** A size in bytes; `100MiB`, `64KiB`, `2GiB` or plain bytes. */
const bytes = z
  .string()
  .regex(/^\d+\s*(KiB|MiB|GiB)?$/, 'must be bytes, or a number with KiB, MiB or GiB')
  .transform((text) => {
    const unit = text.endsWith('KiB') ? 1024 : text.endsWith('MiB') ? MIB : text.endsWith('GiB') ? 1024 * MIB : 1
    return Number.parseInt(text, 10) * unit
  })
const size = (mebibytes: number) => bytes.optional().transform((value) => value ?? mebibytes * MIB)
const WHOLE = 'must be a whole number'
const whole = z.coerce.number(WHOLE).int(WHOLE)
const count = (fallback: number, min = 1) => whole.min(min).default(fallback)
const milliseconds = (fallback: number) => whole.min(1).default(fallback)
const flag = z.enum(['true', 'false']).transform((value) => value === 'true')

/** Every setting of the gateway; `.env.example` explains them, and a test keeps the two equal. */
export const envSchema = z.object({
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: whole.min(0).max(65_535).default(8010),
  STORAGE_DIR: z.string().min(1).default('storage'),
  GATEWAY_ADMIN_KEY: z.string().min(16, 'must have at least 16 characters').optional(),
  CORS_ORIGINS: z.string().optional(),
  PLANS_FILE: z.string().min(1).optional(),

  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'must start with postgres://')
    .optional(),
  DATABASE_POOL_SIZE: count(10),

  S3_BUCKET: z.string().min(3).optional(),
  S3_ENDPOINT: httpUrl.optional(),
  S3_REGION: z.string().min(1).default('us-east-1'),
  S3_ACCESS_KEY_ID: z.string().min(1).optional(),
  S3_SECRET_ACCESS_KEY: z.string().min(1).optional(),
  S3_FORCE_PATH_STYLE: flag.optional(),

  MEMORY_BACKEND: z.enum(['embedded', 'everos']).default('embedded'),
  EVEROS_BASE_URL: httpUrl.optional(),
  EVEROS_API_PREFIX: z.string().startsWith('/').optional(),
  EVEROS_SEARCH_METHOD: z.enum(['hybrid', 'keyword', 'vector', 'agentic']).optional(),
  EVEROS_PRESIGN_ABOVE: bytes.optional(),

  WEBHOOK_ALLOW_PRIVATE: flag.default(false),

  CHAT_MODEL: z.string().min(1).max(256).optional(),
  OPENAI_API_KEY: providerKey.optional(),
  OPENAI_BASE_URL: httpUrl.default(PROVIDER_URLS.openai),
  CHAT_TIMEOUT_MS: milliseconds(60_000),
  EXTRACTION_TOKENS_PER_DAY: whole.min(0).default(200_000),
  TRANSCRIPTION_MODEL: z.string().min(1).max(256).optional(),
  OBSERVE_TOKENS: count(30_000, 100),
  REFLECT_TOKENS: count(40_000, 100),
  EMBEDDING_MODEL: z
    .string()
    .min(1)
    .max(1_024)
    .refine(
      (name) => !/^~|\.(?:onnx|gguf|safetensors)$/.test(name),
      'must be the name of a model, or the path of a folder that begins with / or ./ and has model.onnx and tokenizer.json',
    )
    .optional(),
  EMBEDDING_BASE_URL: httpUrl.optional(),
  EMBEDDING_API_KEY: providerKey.optional(),
  EMBEDDING_TIMEOUT_MS: milliseconds(10_000),
  OCR_LANGUAGES: z
    .string()
    .regex(/^[a-z_]+(\+[a-z_]+)*$/, 'must be languages of Tesseract, e.g. eng+chi_sim')
    .optional(),
  KEEP_GPS: flag.default(false),

  ANTHROPIC_API_KEY: providerKey.optional(),
  ANTHROPIC_BASE_URL: httpUrl.default(PROVIDER_URLS.anthropic),
  GEMINI_API_KEY: providerKey.optional(),
  GEMINI_BASE_URL: httpUrl.default(PROVIDER_URLS.gemini),
  OPENROUTER_API_KEY: providerKey.optional(),
  OPENROUTER_BASE_URL: httpUrl.default(PROVIDER_URLS.openrouter),
  MODEL_PROVIDERS: modelProvidersSetting.optional(),
  MODEL_TIMEOUT_MS: milliseconds(600_000),
  MODEL_RETRIES: whole.min(0).max(5).default(0),
  MODEL_FALLBACKS: modelFallbacksSetting.optional(),
  MEMORY_WAIT_MS: milliseconds(1_000),
  THREAD_HISTORY_TOKENS: whole.min(0).optional(),
  CHAT_MEMORY_ITEMS: whole.min(0).max(100).default(10),
  CHAT_MEMORY_TOKENS: count(2_000, 0),

  RELAY_WAIT_MS: milliseconds(30_000),
  RELAY_ATTEMPTS: count(12),
  RELAY_GIVE_UP_MS: milliseconds(24 * 3_600_000),
  ORPHAN_GRACE_MS: milliseconds(24 * 3_600_000),

  MAX_REQUEST_BYTES: size(200),
  MAX_FILE_BYTES: size(100),
  MAX_FILES: count(32),
  MAX_PARTS: count(64),
  MAX_MESSAGES_BYTES: size(2),
  MAX_INLINE_BYTES: size(8),
  MAX_CHAT_BYTES: size(32),
  MAX_MESSAGES: count(500),
  MAX_FIELD_NAME_BYTES: count(200),
  MAX_FILENAME_BYTES: count(255),
  MAX_ARCHIVE_ENTRIES: count(5000),
  MAX_ARCHIVE_BYTES: size(500),
  MAX_ARCHIVE_RATIO: count(100),
  MAX_IMAGE_PIXELS: count(50_000_000),
  MAX_UPLOADS: count(32),
  MAX_UPLOADS_PER_USER: count(4),
  MAX_BASE64_BYTES: size(128),
  RATE_LIMIT_ALL: count(5_000, 0),
  RATE_LIMIT_PROXY: count(2_000, 0),
  RATE_LIMIT_PROXY_10S: count(400, 0),
  RATE_LIMIT_MEMORY_READS: count(1_200, 0),
  RATE_LIMIT_MEMORY_WRITES: count(600, 0),
  HEADERS_TIMEOUT_MS: milliseconds(15_000),
  REQUEST_TIMEOUT_MS: milliseconds(300_000),
  BACKEND_CONNECT_TIMEOUT_MS: milliseconds(2_000),
  BACKEND_ADD_TIMEOUT_MS: milliseconds(120_000),
  BACKEND_FLUSH_TIMEOUT_MS: milliseconds(390_000),
  BACKEND_SEARCH_TIMEOUT_MS: milliseconds(15_000),
  BACKEND_MAX_ANSWER_BYTES: size(8),

  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  LOG_FORMAT: z.enum(['auto', 'json', 'pretty']).default('auto'),
})

export type Env = z.infer<typeof envSchema>

/** Faults in the settings, one line each. */
export class ConfigError extends Error {
  override name = 'ConfigError'
}

/** Reads the settings from the environment; empty values count as unset. Throws a ConfigError that lists every fault. */
export function readEnv(environment: Readonly<Record<string, string | undefined>> = process.env): Env {
  const given = Object.fromEntries(
    Object.keys(envSchema.shape).flatMap((name) => (environment[name] ? [[name, environment[name]]] : [])),
  )
  const result = envSchema.safeParse(given)
  if (result.success) return result.data
  throw new ConfigError(result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('\n'))
}
