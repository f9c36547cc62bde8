import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { type EngineConfig, engineConfig, type ModelServer } from './engine.ts'
import { ConfigError, type Env } from './env.ts'
import { type ModelsConfig, modelProviders, PROVIDER_URLS, unknownFallbacks } from './model-providers.ts'

/** Bytes, counts and milliseconds; one table for the whole gateway, explained in docs/operations.md. */
export interface Limits {
  readonly requestBytes: number
  readonly fileBytes: number
  readonly files: number
  readonly parts: number
  /** The `messages` field, or a JSON body without files. */
  readonly messagesBytes: number
  /** A JSON body with inline base64. */
  readonly inlineBytes: number
  /** A chat that is passed on to a provider, files within it included. */
  readonly chatBytes: number
  readonly messages: number
  readonly fieldNameBytes: number
  readonly filenameBytes: number
  /** Of a zip file, which office files are: entries, bytes when unpacked, and how many times its size those may be. */
  readonly archiveEntries: number
  readonly archiveBytes: number
  readonly archiveRatio: number
  /** Width times height. */
  readonly imagePixels: number
  readonly uploads: number
  readonly uploadsPerUser: number
  readonly headersTimeoutMs: number
  readonly requestTimeoutMs: number
}

/** When the messages of a thread are observed, and their observations reflected upon; in tokens. */
export interface ObservationSettings {
  readonly observeTokens: number
  readonly reflectTokens: number
}

/** What a chat in a thread is given of its memory, at most. */
export interface RecallSettings {
  /** Of its messages. */
  readonly historyTokens: number
  /** Of the user's whole memory; those of the library come on top. */
  readonly memoryItems: number
  readonly memoryTokens: number
  /** How long the backend may search. */
  readonly searchMs: number
}

export type DatabaseConfig = { kind: 'pglite'; dir: string } | { kind: 'postgres'; url: string; poolSize: number }

export type ObjectStoreConfig =
  | { kind: 'local'; dir: string }
  | {
      kind: 's3'
      bucket: string
      endpoint: string | undefined
      region: string
      accessKeyId: string | undefined
      secretAccessKey: string | undefined
      forcePathStyle: boolean
    }

export type BackendConfig =
  | { kind: 'embedded' }
  | {
      kind: 'everos'
      baseUrl: string
      apiPrefix: string | undefined
      searchMethod: 'hybrid' | 'keyword' | 'vector' | 'agentic' | undefined
      presignAboveBytes: number | undefined
      base64InFlightBytes: number
      maxAnswerBytes: number
      timeouts: { connectMs: number; addMs: number; flushMs: number; searchMs: number }
    }

/** Requests of one key in a window, 60 seconds unless it says otherwise; 0: no limit. */
export interface RateLimits {
  readonly all: number
  readonly proxy: number
  readonly proxyInTenSeconds: number
  readonly memoryReads: number
  readonly memoryWrites: number
}

export interface Config {
  readonly host: string
  readonly port: number
  /** Uploads on their way in. */
  readonly spoolDir: string
  /** Files that the embedded backend is reading. */
  readonly readingDir: string
  readonly adminKey: string | undefined
  /** True if anyone who reaches the gateway may create users: on loopback, and without an admin key. */
  readonly openRegistration: boolean
  readonly corsOrigins: readonly string[]
  /** Where the plans of accounts and keys are. */
  readonly plansFile: string | undefined
  readonly database: DatabaseConfig
  readonly objectStore: ObjectStoreConfig
  readonly backend: BackendConfig
  /** Undefined if none is to be used. */
  readonly chatModel: ModelServer | undefined
  /** What the embedded backend makes use of besides the chat model. */
  readonly engine: EngineConfig
  /** What the chat proxy reaches. */
  readonly models: ModelsConfig
  /** How long a chat through the proxy waits for its memory; then it goes on without. */
  readonly memoryWaitMs: number
  readonly observation: ObservationSettings
  readonly recall: RecallSettings
  readonly relay: { readonly waitMs: number; readonly attempts: number; readonly giveUpMs: number }
  readonly orphanGraceMs: number
  /** Whether webhooks may call addresses that are not on the public internet. */
  readonly webhooks: { readonly allowPrivate: boolean }
  readonly limits: Limits
  readonly rateLimits: RateLimits
  readonly log: { readonly level: Env['LOG_LEVEL']; readonly format: Env['LOG_FORMAT'] }
}

/** S3 takes one PutObject up to 5 GiB, and the gateway uses no other. */
const MAX_SINGLE_PUT = 5 * 1024 ** 3

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

function faults(env: Env): string[] {
  const found: string[] = []
  if (!isLoopback(env.HOST) && !env.GATEWAY_ADMIN_KEY) {
    found.push(
      `GATEWAY_ADMIN_KEY: set it (16 characters or more) to listen on ${env.HOST}; without it anyone who reaches the gateway could create users. Or set HOST=127.0.0.1.`,
    )
  }
  if (env.MEMORY_BACKEND === 'everos' && !env.EVEROS_BASE_URL) {
    found.push('EVEROS_BASE_URL: needed for MEMORY_BACKEND=everos, e.g. http://127.0.0.1:1995')
  }
  if (!env.S3_ACCESS_KEY_ID !== !env.S3_SECRET_ACCESS_KEY) {
    found.push('S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY: set both, or neither')
  }
  if (!env.S3_BUCKET && (env.S3_ENDPOINT || env.S3_ACCESS_KEY_ID)) {
    found.push('S3_BUCKET: needed when S3_ENDPOINT or S3_ACCESS_KEY_ID is set')
  }
  if (env.CHAT_MODEL && !env.OPENAI_API_KEY && env.OPENAI_BASE_URL === PROVIDER_URLS.openai) {
    found.push(
      'OPENAI_API_KEY: needed for CHAT_MODEL. Or set OPENAI_BASE_URL to a server that asks for none, e.g. http://127.0.0.1:11434/v1',
    )
  }
  for (const model of unknownFallbacks({ providers: modelProviders(env), fallbacks: env.MODEL_FALLBACKS ?? {} })) {
    found.push(`MODEL_FALLBACKS: no provider is configured for ${model}: set its key, or add it to MODEL_PROVIDERS`)
  }
  if (env.MAX_FILE_BYTES > env.MAX_REQUEST_BYTES) found.push('MAX_FILE_BYTES: must not exceed MAX_REQUEST_BYTES')
  if (env.MAX_FILE_BYTES > MAX_SINGLE_PUT) found.push('MAX_FILE_BYTES: 5GiB is the most that one PutObject takes')
  if (env.MAX_MESSAGES > 500) found.push('MAX_MESSAGES: 500 is the most that a backend takes in one call')
  return found
}

/** Groups the settings and checks them against each other. Pure; throws a ConfigError that lists every fault. */
export function loadConfig(env: Env): Config {
  const found = faults(env)
  if (found.length > 0) throw new ConfigError(found.join('\n'))
  const storageDir = resolve(env.STORAGE_DIR)
  return {
    host: env.HOST,
    port: env.PORT,
    spoolDir: resolve(storageDir, 'spool'),
    readingDir: resolve(storageDir, 'reading'),
    adminKey: env.GATEWAY_ADMIN_KEY,
    openRegistration: isLoopback(env.HOST) && !env.GATEWAY_ADMIN_KEY,
    corsOrigins: env.CORS_ORIGINS?.split(',').map((origin) => origin.trim()) ?? [],
    plansFile: env.PLANS_FILE === undefined ? undefined : resolve(env.PLANS_FILE),
    database: env.DATABASE_URL
      ? { kind: 'postgres', url: env.DATABASE_URL, poolSize: env.DATABASE_POOL_SIZE }
      : { kind: 'pglite', dir: resolve(storageDir, 'database') },
    objectStore: objectStoreConfig(env, storageDir),
    backend: backendConfig(env),
    chatModel: chatModelConfig(env),
    engine: engineConfig(env),
    models: {
      providers: modelProviders(env),
      timeoutMs: env.MODEL_TIMEOUT_MS,
      retries: env.MODEL_RETRIES,
      fallbacks: env.MODEL_FALLBACKS ?? {},
    },
    memoryWaitMs: env.MEMORY_WAIT_MS,
    recall: recallSettings(env),
    observation: { observeTokens: env.OBSERVE_TOKENS, reflectTokens: env.REFLECT_TOKENS },
    relay: { waitMs: env.RELAY_WAIT_MS, attempts: env.RELAY_ATTEMPTS, giveUpMs: env.RELAY_GIVE_UP_MS },
    orphanGraceMs: env.ORPHAN_GRACE_MS,
    webhooks: { allowPrivate: env.WEBHOOK_ALLOW_PRIVATE },
    limits: limits(env),
    rateLimits: {
      all: env.RATE_LIMIT_ALL,
      proxy: env.RATE_LIMIT_PROXY,
      proxyInTenSeconds: env.RATE_LIMIT_PROXY_10S,
      memoryReads: env.RATE_LIMIT_MEMORY_READS,
      memoryWrites: env.RATE_LIMIT_MEMORY_WRITES,
    },
    log: { level: env.LOG_LEVEL, format: env.LOG_FORMAT },
  }
}

function objectStoreConfig(env: Env, storageDir: string): ObjectStoreConfig {
  if (!env.S3_BUCKET) return { kind: 'local', dir: resolve(storageDir, 'objects') }
  return {
    kind: 's3',
    bucket: env.S3_BUCKET,
    endpoint: env.S3_ENDPOINT,
    region: env.S3_REGION,
    accessKeyId: env.S3_ACCESS_KEY_ID,
    secretAccessKey: env.S3_SECRET_ACCESS_KEY,
    forcePathStyle: env.S3_FORCE_PATH_STYLE ?? env.S3_ENDPOINT !== undefined,
  }
}

function backendConfig(env: Env): BackendConfig {
  if (env.MEMORY_BACKEND === 'embedded') return { kind: 'embedded' }
  return {
    kind: 'everos',
    baseUrl: env.EVEROS_BASE_URL ?? '',
    apiPrefix: env.EVEROS_API_PREFIX,
    searchMethod: env.EVEROS_SEARCH_METHOD,
    presignAboveBytes: env.EVEROS_PRESIGN_ABOVE,
    base64InFlightBytes: env.MAX_BASE64_BYTES,
    maxAnswerBytes: env.BACKEND_MAX_ANSWER_BYTES,
    timeouts: {
      connectMs: env.BACKEND_CONNECT_TIMEOUT_MS,
      addMs: env.BACKEND_ADD_TIMEOUT_MS,
      flushMs: env.BACKEND_FLUSH_TIMEOUT_MS,
      searchMs: env.BACKEND_SEARCH_TIMEOUT_MS,
    },
  }
}

function chatModelConfig(env: Env): ModelServer | undefined {
  if (!env.CHAT_MODEL) return undefined
  return {
    model: env.CHAT_MODEL,
    baseUrl: env.OPENAI_BASE_URL,
    apiKey: env.OPENAI_API_KEY,
    timeoutMs: env.CHAT_TIMEOUT_MS,
  }
}

function recallSettings(env: Env): RecallSettings {
  return {
    // What waits for the Observer is still shown, and it takes its time.
    historyTokens: env.THREAD_HISTORY_TOKENS ?? Math.ceil(env.OBSERVE_TOKENS * 1.25),
    memoryItems: env.CHAT_MEMORY_ITEMS,
    memoryTokens: env.CHAT_MEMORY_TOKENS,
    // A slow search leaves time for the rest of the memory.
    searchMs: Math.ceil(env.MEMORY_WAIT_MS * 0.7),
  }
}

function limits(env: Env): Limits {
  return {
    requestBytes: env.MAX_REQUEST_BYTES,
    fileBytes: env.MAX_FILE_BYTES,
    files: env.MAX_FILES,
    parts: env.MAX_PARTS,
    messagesBytes: env.MAX_MESSAGES_BYTES,
    inlineBytes: env.MAX_INLINE_BYTES,
    chatBytes: env.MAX_CHAT_BYTES,
    messages: env.MAX_MESSAGES,
    fieldNameBytes: env.MAX_FIELD_NAME_BYTES,
    filenameBytes: env.MAX_FILENAME_BYTES,
    archiveEntries: env.MAX_ARCHIVE_ENTRIES,
    archiveBytes: env.MAX_ARCHIVE_BYTES,
    archiveRatio: env.MAX_ARCHIVE_RATIO,
    imagePixels: env.MAX_IMAGE_PIXELS,
    uploads: env.MAX_UPLOADS,
    uploadsPerUser: env.MAX_UPLOADS_PER_USER,
    headersTimeoutMs: env.HEADERS_TIMEOUT_MS,
    requestTimeoutMs: env.REQUEST_TIMEOUT_MS,
  }
}
