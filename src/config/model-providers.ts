import { z } from 'zod'

/** Where models are reached. A provider that is not usable has no key, and needs one; a caller may still bring their own. */
export interface ModelProviderConfig {
  /** What a model's name begins with; the first is the one that lists show. */
  readonly names: readonly [string, ...string[]]
  /** With the version: `https://api.openai.com/v1`. */
  readonly baseUrl: string
  readonly apiKey: string | undefined
  readonly isUsable: boolean
  /** Whether the base URL was set: such a server may take names with any prefix. */
  readonly isOwn: boolean
  /** The setting that would make it usable. */
  readonly keySetting: string
}

export interface ModelsConfig {
  readonly providers: readonly ModelProviderConfig[]
  /** Silence of a provider, before its answer or within it. */
  readonly timeoutMs: number
  readonly retries: number
  /** By `provider/model`: what is asked instead, in this order. */
  readonly fallbacks: Readonly<Record<string, readonly string[]>>
}

export const PROVIDER_URLS = {
  openai: 'https://api.openai.com/v1',
  anthropic: 'https://api.anthropic.com/v1',
  gemini: 'https://generativelanguage.googleapis.com/v1beta/openai',
  openrouter: 'https://openrouter.ai/api/v1',
} as const

const BUILT_IN = new Set(['openai', 'anthropic', 'google', 'gemini', 'openrouter'])

export const httpUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http(s) URL' })
  .transform((value) => value.replace(/\/+$/, ''))

export const providerKey = z.string().regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces')

const modelName = z.string().min(1).max(256)

/** A setting that is JSON. Faults name places in it and never its values, which may be keys. */
function jsonSetting<T extends z.ZodType>(schema: T, example: string) {
  return z.string().transform((text, context): z.output<T> => {
    const fault = (message: string) => {
      context.addIssue({ code: 'custom', message })
      return z.NEVER
    }
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      return fault(`must be a JSON object like ${example}`)
    }
    const result = schema.safeParse(value)
    if (result.success) return result.data
    const places = result.error.issues.map((issue) => [...issue.path.map(String), messageOf(issue)].join(': '))
    return fault(`${places.join('; ')}. Like ${example}`)
  })
}

/** A fault of a name is within that of its record. */
function messageOf(issue: z.core.$ZodIssue): string {
  return (issue.code === 'invalid_key' ? issue.issues[0]?.message : undefined) ?? issue.message
}

export const modelProvidersSetting = jsonSetting(
  z.record(
    z
      .string()
      .regex(/^[a-z0-9][a-z0-9_.-]{0,63}$/, 'a name has a-z, 0-9, _, . and - only')
      .refine((name) => !BUILT_IN.has(name), 'is built in: it has a setting of its own, like OPENAI_BASE_URL'),
    z.strictObject({ base_url: httpUrl, api_key: providerKey.optional() }),
  ),
  '{"ollama":{"base_url":"http://127.0.0.1:11434/v1"}}',
)

export const modelFallbacksSetting = jsonSetting(
  z.record(modelName, z.array(modelName).min(1).max(8)),
  '{"openai/gpt-x":["openrouter/openai/gpt-x"]}',
)

/** The settings that say which providers there are. */
export interface ProviderSettings {
  readonly OPENAI_API_KEY?: string | undefined
  readonly OPENAI_BASE_URL: string
  readonly ANTHROPIC_API_KEY?: string | undefined
  readonly ANTHROPIC_BASE_URL: string
  readonly GEMINI_API_KEY?: string | undefined
  readonly GEMINI_BASE_URL: string
  readonly OPENROUTER_API_KEY?: string | undefined
  readonly OPENROUTER_BASE_URL: string
  readonly MODEL_PROVIDERS?: z.output<typeof modelProvidersSetting> | undefined
}

export function modelProviders(env: ProviderSettings): ModelProviderConfig[] {
  const named = Object.entries(env.MODEL_PROVIDERS ?? {}).map(
    ([name, { base_url: baseUrl, api_key: apiKey }]): ModelProviderConfig => ({
      names: [name],
      baseUrl,
      apiKey,
      isUsable: true,
      isOwn: true,
      keySetting: 'MODEL_PROVIDERS',
    }),
  )
  return [
    builtIn(['openai'], env.OPENAI_BASE_URL, PROVIDER_URLS.openai, env.OPENAI_API_KEY, 'OPENAI_API_KEY'),
    builtIn(['anthropic'], env.ANTHROPIC_BASE_URL, PROVIDER_URLS.anthropic, env.ANTHROPIC_API_KEY, 'ANTHROPIC_API_KEY'),
    builtIn(['google', 'gemini'], env.GEMINI_BASE_URL, PROVIDER_URLS.gemini, env.GEMINI_API_KEY, 'GEMINI_API_KEY'),
    builtIn(
      ['openrouter'],
      env.OPENROUTER_BASE_URL,
      PROVIDER_URLS.openrouter,
      env.OPENROUTER_API_KEY,
      'OPENROUTER_API_KEY',
    ),
    ...named,
  ]
}

/** Fallbacks that nobody would be asked for, by the settings. */
export function unknownFallbacks({ providers, fallbacks }: Pick<ModelsConfig, 'providers' | 'fallbacks'>): string[] {
  const usable = providers.filter(({ isUsable }) => isUsable)
  const takesAnyName = usable.some(({ names, isOwn }) => names[0] === 'openrouter' || (names[0] === 'openai' && isOwn))
  if (takesAnyName) return []
  const isKnown = (model: string) => {
    const [prefix = '', rest] = model.split('/', 2)
    return rest === undefined || usable.some(({ names }) => names.includes(prefix))
  }
  return Object.values(fallbacks)
    .flat()
    .filter((model) => !isKnown(model))
}

/** A server of one's own may ask for no key. */
function builtIn(
  names: readonly [string, ...string[]],
  baseUrl: string,
  usual: string,
  apiKey: string | undefined,
  keySetting: string,
): ModelProviderConfig {
  const isOwn = baseUrl !== usual
  return { names, baseUrl, apiKey, isUsable: apiKey !== undefined || isOwn, isOwn, keySetting }
}
