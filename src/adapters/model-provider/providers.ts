import type { ModelProviderConfig } from '../../config/model-providers.ts'
import { type HeaderList, ModelGatewayError, type ModelPath, type PassThroughKey } from '../../ports/model-gateway.ts'

/** A provider, and where its API is. */
export interface Provider extends ModelProviderConfig {
  readonly name: string
  readonly origin: string
  /** Of its API, without a slash at the end. */
  readonly basePath: string
  readonly search: string
}

/** Where a request goes, and by which name the model is known there. */
export interface Destination {
  readonly provider: Provider
  readonly model: string
  /** The request's model has the provider's name: what the caller sends for that provider may go there. */
  readonly isNamed: boolean
}

/** Of Anthropic's API; what a caller's request without one gets. */
const ANTHROPIC_VERSION = '2023-06-01'

function toProvider(config: ModelProviderConfig): Provider {
  const { origin, pathname, search } = new URL(config.baseUrl)
  return { ...config, name: config.names[0], origin, basePath: pathname.replace(/\/+$/, ''), search }
}

/** Picks the provider of each request by the name of its model. */
export class ProviderTable {
  readonly providers: readonly Provider[]
  readonly #byName: ReadonlyMap<string, Provider>

  constructor(configs: readonly ModelProviderConfig[]) {
    this.providers = configs.map(toProvider)
    this.#byName = new Map(this.providers.flatMap((provider) => provider.names.map((name) => [name, provider])))
  }

  /**
   * `provider/model` goes to that provider; a model without a provider's name to Anthropic if it comes on one of Anthropic's paths, else to OpenAI.
   * Where that provider cannot be used, the whole name goes to OpenRouter, or to an `OPENAI_BASE_URL` of one's own, which may know
   * it. A caller's own key goes to the provider that the name says, or nowhere. Throws `unknown_model`.
   */
  choose(model: string, path: ModelPath, hasOwnKey: boolean): Destination {
    const slash = model.indexOf('/')
    const prefix = slash > 0 ? model.slice(0, slash) : undefined
    const named = this.#byName.get(prefix ?? (path.startsWith('/messages') ? 'anthropic' : 'openai'))
    const rest = prefix === undefined ? model : model.slice(slash + 1)
    if (named && rest !== '' && (hasOwnKey || named.isUsable)) return { provider: named, model: rest, isNamed: true }
    if (hasOwnKey) {
      throw new ModelGatewayError(
        'unknown_model',
        `There is no provider "${shown(prefix ?? '')}" to send your provider key to. Name the model as provider/model, with one of: ${this.#names()}.`,
      )
    }
    const takesAll = this.#usable('openrouter') ?? this.#ownOpenAi()
    if (takesAll && rest !== '') return { provider: takesAll, model, isNamed: false }
    throw new ModelGatewayError('unknown_model', refusal(model, named))
  }

  #usable(name: string): Provider | undefined {
    const provider = this.#byName.get(name)
    return provider?.isUsable ? provider : undefined
  }

  #ownOpenAi(): Provider | undefined {
    const provider = this.#usable('openai')
    return provider?.isOwn ? provider : undefined
  }

  #names(): string {
    return [...this.#byName.keys()].join(', ')
  }
}

function refusal(model: string, named: Provider | undefined): string {
  const todo = named
    ? `set ${named.keySetting} on the gateway`
    : 'name a provider that the gateway has (GET /v1/models lists their models), or add one to its MODEL_PROVIDERS'
  return `No provider is configured for the model "${shown(model)}": ${todo}, or set OPENROUTER_API_KEY. Or send a provider key of your own in Authorization, with the gateway's key in X-Memory-Gateway-Authorization.`
}

/** What a caller wrote, to be shown to them again. */
function shown(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}

/** Whether requests to this path of the provider follow Anthropic's rules for headers. */
function isAnthropicApi(provider: Provider, path: ModelPath | '/models'): boolean {
  return provider.name === 'anthropic' && (path.startsWith('/messages') || path === '/models')
}

/** The headers that show whose the request is, and the version where the API asks for one. */
export function credentialHeaders(
  provider: Provider,
  path: ModelPath | '/models',
  given: { passThroughKey?: PassThroughKey | undefined; headers: HeaderList },
): string[] {
  const isAnthropic = isAnthropicApi(provider, path)
  const version = isAnthropic && !hasHeader(given.headers, 'anthropic-version')
  return [
    ...keyHeader(provider, isAnthropic, given.passThroughKey),
    ...(version ? ['anthropic-version', ANTHROPIC_VERSION] : []),
  ]
}

function keyHeader(provider: Provider, isAnthropic: boolean, own: PassThroughKey | undefined): string[] {
  if (own) return [own.header, own.value]
  if (provider.apiKey === undefined) return []
  return isAnthropic ? ['x-api-key', provider.apiKey] : ['authorization', `Bearer ${provider.apiKey}`]
}

const OF_A_KEY = /(?:^|[-_])(?:api[-_]?key|keys?|auth|authorization|tokens?|secrets?|credentials?)$/i

/** The headers without those that, by their names, hold keys: some clients have such of their own, e.g. `api-key` or `x-goog-api-key`. */
export function withoutKeys(headers: HeaderList): string[] {
  return headers.filter((_, index) => !OF_A_KEY.test(headers[index - (index % 2)] ?? ''))
}

function hasHeader(headers: HeaderList, name: string): boolean {
  return headers.some((given, index) => index % 2 === 0 && given.toLowerCase() === name)
}
