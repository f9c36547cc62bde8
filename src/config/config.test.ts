import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadConfig } from './config.ts'
import { ConfigError, envSchema, readEnv } from './env.ts'

type Settings = Record<string, string | undefined>

const MIB = 1024 * 1024
const settings = Object.keys(envSchema.shape)
const load = (given: Settings = {}) => loadConfig(readEnv(given))

function faultsOf(given: Settings): string[] {
  try {
    load(given)
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
  throw new Error('these settings were accepted')
}

/** The settings of `.env.example`, as someone has them who takes out the comment signs before all with a value. */
function exampleSettings(): [string, string][] {
  const lines = readFileSync('.env.example', 'utf8').split('\n')
  return lines.flatMap((line): [string, string][] => {
    const [, name, value] = /^# ([A-Z][A-Z0-9_]+)=(.*)$/.exec(line) ?? []
    return name !== undefined && value !== undefined ? [[name, value]] : []
  })
}

describe('EMBEDDING_MODEL', () => {
  test.each(['~/minilm', 'minilm.onnx', '/models/minilm/model.onnx', 'minilm.gguf'])('no file: %s', (model) => {
    expect(faultsOf({ EMBEDDING_MODEL: model })).toEqual([
      expect.stringMatching(/^EMBEDDING_MODEL: must be the name of a model, or the path of a folder/),
    ])
  })

  test.each(['/models/minilm', './minilm', '../minilm'])('a folder: %s', (folder) => {
    expect(load({ EMBEDDING_MODEL: folder }).engine.embedding).toEqual({ folder, timeoutMs: 10_000 })
  })

  test.each(['text-embedding-3-small', 'BAAI/bge-m3', 'nomic-embed-text:v1.5'])('a name: %s', (model) => {
    expect(load({ EMBEDDING_MODEL: model }).engine.embedding).toMatchObject({ model })
  })
})

describe('the pages about the settings', () => {
  test('.env.example has every setting once, commented out and explained', () => {
    expect(exampleSettings().map(([name]) => name)).toEqual(settings)
    const lines = readFileSync('.env.example', 'utf8').split('\n')
    for (const [at, line] of lines.entries()) {
      expect(line).toMatch(/^(#.*)?$/)
      if (/^# [A-Z][A-Z0-9_]+=/.test(line)) expect(lines[at - 1]).toMatch(/^# .*[a-z].*\.$/)
    }
  })

  test('.env.example states the defaults', () => {
    expect(load(Object.fromEntries(exampleSettings()))).toEqual(load())
  })

  test('docs/operations.md explains every setting', () => {
    const page = readFileSync('docs/operations.md', 'utf8')
    expect(settings.filter((name) => !page.includes(`\`${name}\``))).toEqual([])
  })
})

describe('defaults', () => {
  test('one process without services, on loopback', () => {
    expect(load()).toMatchObject({
      host: '127.0.0.1',
      port: 8010,
      spoolDir: resolve('storage/spool'),
      openRegistration: true,
      corsOrigins: [],
      database: { kind: 'pglite', dir: resolve('storage/database') },
      objectStore: { kind: 'local', dir: resolve('storage/objects') },
      backend: { kind: 'embedded' },
      log: { level: 'info', format: 'auto' },
    })
  })

  test('limits', () => {
    expect(load().limits).toMatchObject({
      requestBytes: 200 * MIB,
      fileBytes: 100 * MIB,
      files: 32,
      parts: 64,
      messagesBytes: 2 * MIB,
      messages: 500,
      uploads: 32,
      uploadsPerUser: 4,
    })
  })

  test('empty values count as unset', () => {
    expect(load(Object.fromEntries(settings.map((name) => [name, ''])))).toEqual(load())
  })
})

describe('values', () => {
  test.each([
    ['1048576', MIB],
    ['512KiB', MIB / 2],
    ['100MiB', 100 * MIB],
    ['100 MiB', 100 * MIB],
    ['1GiB', 1024 * MIB],
  ])('size %s', (text, bytes) => {
    expect(load({ MAX_FILE_BYTES: text, MAX_REQUEST_BYTES: '2GiB' }).limits.fileBytes).toBe(bytes)
  })

  test.each(['100MB', '1.5MiB', '-1', 'many', '1e6'])('no size: %s', (text) => {
    expect(faultsOf({ MAX_FILE_BYTES: text })).toEqual([expect.stringMatching(/^MAX_FILE_BYTES: /)])
  })

  test('PostgreSQL, S3 and EverOS by settings alone', () => {
    const config = load({
      DATABASE_URL: 'postgresql://gateway@db/gateway',
      S3_BUCKET: 'memories',
      S3_ENDPOINT: 'http://s3:3900/',
      S3_ACCESS_KEY_ID: 'id',
      S3_SECRET_ACCESS_KEY: 'secret',
      MEMORY_BACKEND: 'everos',
      EVEROS_BASE_URL: 'http://everos:1995/',
      EVEROS_PRESIGN_ABOVE: '20MiB',
    })
    expect(config.database).toEqual({ kind: 'postgres', url: 'postgresql://gateway@db/gateway', poolSize: 10 })
    expect(config.objectStore).toMatchObject({ kind: 's3', endpoint: 'http://s3:3900', forcePathStyle: true })
    expect(config.backend).toMatchObject({
      kind: 'everos',
      baseUrl: 'http://everos:1995',
      presignAboveBytes: 20 * MIB,
      timeouts: { connectMs: 2_000, addMs: 120_000, flushMs: 390_000, searchMs: 15_000 },
    })
  })

  test('path style follows the endpoint unless it is set', () => {
    const s3 = { S3_BUCKET: 'memories' }
    expect(load(s3).objectStore).toMatchObject({ forcePathStyle: false })
    expect(load({ ...s3, S3_ENDPOINT: 'https://s3.test', S3_FORCE_PATH_STYLE: 'false' }).objectStore).toMatchObject({
      forcePathStyle: false,
    })
  })

  test('a chat model, of OpenAI or of a server that asks for no key', () => {
    expect(load({ OPENAI_API_KEY: 'sk-1' }).chatModel).toBeUndefined()
    expect(load({ CHAT_MODEL: 'gpt-4o-mini', OPENAI_API_KEY: 'sk-1' }).chatModel).toEqual({
      model: 'gpt-4o-mini',
      baseUrl: 'https://api.openai.com/v1',
      apiKey: 'sk-1',
      timeoutMs: 60_000,
    })
    expect(load({ CHAT_MODEL: 'qwen3', OPENAI_BASE_URL: 'http://127.0.0.1:11434/v1/' }).chatModel).toMatchObject({
      baseUrl: 'http://127.0.0.1:11434/v1',
      apiKey: undefined,
    })
  })

  test('origins are split and trimmed', () => {
    expect(load({ CORS_ORIGINS: 'https://a.test, https://b.test' }).corsOrigins).toEqual([
      'https://a.test',
      'https://b.test',
    ])
  })
})

describe('faults', () => {
  test.each(['0.0.0.0', '::', '192.168.1.5', '127.example.com'])('%s without an admin key is refused', (host) => {
    const [fault, ...more] = faultsOf({ HOST: host })
    expect(more).toEqual([])
    expect(fault).toMatch(/^GATEWAY_ADMIN_KEY: set it .* HOST=127\.0\.0\.1/)
  })

  test.each(['127.0.0.1', '127.1.2.3', '::1', 'localhost'])('%s without one is open to this machine', (host) => {
    expect(load({ HOST: host }).openRegistration).toBe(true)
  })

  test('an admin key closes registration wherever the gateway listens', () => {
    const GATEWAY_ADMIN_KEY = 'sixteen letters!'
    expect(load({ GATEWAY_ADMIN_KEY }).openRegistration).toBe(false)
    expect(load({ GATEWAY_ADMIN_KEY, HOST: '0.0.0.0' }).openRegistration).toBe(false)
    expect(faultsOf({ GATEWAY_ADMIN_KEY: 'too short' })).toEqual([expect.stringMatching(/^GATEWAY_ADMIN_KEY: /)])
  })

  test('a chat model without a key is refused where one is needed', () => {
    expect(faultsOf({ CHAT_MODEL: 'gpt-4o-mini' })).toEqual([
      expect.stringMatching(/^OPENAI_API_KEY: needed for CHAT_MODEL\. Or set OPENAI_BASE_URL /),
    ])
    expect(faultsOf({ OPENAI_API_KEY: 'two words' })).toEqual([expect.stringMatching(/^OPENAI_API_KEY: (?!.*two)/)])
  })

  test('all values that cannot be read are named at once', () => {
    const given = {
      PORT: '80a',
      DATABASE_URL: 'mysql://db',
      S3_ENDPOINT: 'localhost',
      S3_FORCE_PATH_STYLE: 'yes',
      MEMORY_BACKEND: 'other',
      EVEROS_API_PREFIX: 'api',
      RELAY_WAIT_MS: '1.5',
      MAX_FILE_BYTES: '1MB',
      MAX_FILES: '0',
      LOG_LEVEL: 'loud',
    }
    expect(faultsOf(given).map((fault) => fault.split(': ')[0])).toEqual(Object.keys(given))
  })

  test('all settings that do not fit together are named at once', () => {
    const faults = faultsOf({
      HOST: '0.0.0.0',
      MEMORY_BACKEND: 'everos',
      S3_ENDPOINT: 'http://s3:3900',
      S3_ACCESS_KEY_ID: 'id',
      MAX_FILE_BYTES: '6GiB',
      MAX_MESSAGES: '501',
    })
    expect(faults.map((fault) => fault.split(': ')[0])).toEqual([
      'GATEWAY_ADMIN_KEY',
      'EVEROS_BASE_URL',
      'S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY',
      'S3_BUCKET',
      'MAX_FILE_BYTES',
      'MAX_FILE_BYTES',
      'MAX_MESSAGES',
    ])
  })

  test('a fault never shows a value that may be a secret', () => {
    const text = faultsOf({ GATEWAY_ADMIN_KEY: 'hush', DATABASE_URL: 'mysql://user:hush@db', HOST: '::' }).join()
    expect(text).not.toContain('hush')
  })
})

describe('model providers', () => {
  const named = (value: unknown) => ({ MODEL_PROVIDERS: JSON.stringify(value) })

  test('are those built in, and any by name', () => {
    const { providers } = load({
      OPENROUTER_API_KEY: 'k',
      ...named({ vllm: { base_url: 'http://gpu:8000/v1/' } }),
    }).models
    expect(providers.filter(({ isUsable }) => isUsable)).toMatchObject([
      { names: ['openrouter'], baseUrl: 'https://openrouter.ai/api/v1', apiKey: 'k' },
      { names: ['vllm'], baseUrl: 'http://gpu:8000/v1', apiKey: undefined },
    ])
    expect(providers.map(({ names }) => names).flat()).toContain('gemini')
  })

  test('take any name as a fallback where one of them does', () => {
    const fallbacks = { MODEL_FALLBACKS: '{"a/b":["nobody/c"]}' }
    expect(load({ ...fallbacks, OPENROUTER_API_KEY: 'k' }).models.fallbacks).toEqual({ 'a/b': ['nobody/c'] })
    expect(faultsOf({ ...fallbacks, OPENAI_API_KEY: 'k' })).toHaveLength(1)
    expect(load({ ...named({ nobody: { base_url: 'http://h' } }), ...fallbacks }).models.retries).toBe(0)
  })

  test.each<[Settings, RegExp]>([
    [{ MODEL_PROVIDERS: 'ollama' }, /^MODEL_PROVIDERS: must be a JSON object like/],
    [named({ x: { base_url: 'ftp://secret-host' } }), /^MODEL_PROVIDERS: x: base_url: must be an http\(s\) URL/],
    [named({ x: { base_url: 'http://h', key: 'secret' } }), /^MODEL_PROVIDERS: x: .*key/],
    [named({ x: { base_url: 'http://h', api_key: 'a secret' } }), /^MODEL_PROVIDERS: x: api_key: must be printable/],
    [named({ 'a/b': { base_url: 'http://h' } }), /^MODEL_PROVIDERS: a\/b: /],
    [named({ openai: { base_url: 'http://h' } }), /^MODEL_PROVIDERS: openai: .*built in/],
    [{ MODEL_FALLBACKS: '{"a/b":"c/d"}' }, /^MODEL_FALLBACKS: a\/b: /],
    [{ MODEL_FALLBACKS: '{"a/b":["nobody/c"]}' }, /^MODEL_FALLBACKS: no provider is configured for nobody\/c: /],
    [{ MODEL_FALLBACKS: '{"a/b":["openai/c"]}' }, /^MODEL_FALLBACKS: no provider is configured for openai\/c: /],
    [{ MODEL_RETRIES: '6' }, /^MODEL_RETRIES: /],
    [{ MODEL_RETRIES: 'two' }, /^MODEL_RETRIES: must be a whole number$/],
  ])('%j is a fault that quotes no key', (given, fault) => {
    const [said, ...more] = faultsOf(given)
    expect(more).toEqual([])
    expect(said).toMatch(fault)
    expect(said).not.toContain('secret')
  })
})
