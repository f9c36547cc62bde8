import { Agent } from 'undici'
import type { ModelsConfig } from '../../config/model-providers.ts'
import {
  type AnswerSink,
  type ListedModel,
  type ModelCall,
  type ModelGateway,
  ModelGatewayError,
  type ModelRequest,
} from '../../ports/model-gateway.ts'
import { ForwardedCall } from './model-call.ts'
import { ModelList, type ModelListLog } from './model-list.ts'
import { type Destination, ProviderTable } from './providers.ts'

const CONNECT_TIMEOUT_MS = 2_000
/** To one provider: more than this process has callers, so that no stream waits for the end of another. */
const CONNECTIONS = 2_048

/** Passes requests on to the configured providers over connections of its own. */
export function createModelGateway(config: ModelsConfig, log: ModelListLog): ModelGateway {
  return new Forwarder(config, log)
}

class Forwarder implements ModelGateway {
  readonly #config: ModelsConfig
  readonly #table: ProviderTable
  readonly #list: ModelList
  readonly #agent: Agent

  constructor(config: ModelsConfig, log: ModelListLog) {
    this.#config = config
    this.#table = new ProviderTable(config.providers)
    this.#agent = new Agent({
      connections: CONNECTIONS,
      pipelining: 1,
      allowH2: false,
      connect: { timeout: CONNECT_TIMEOUT_MS },
      headersTimeout: config.timeoutMs,
      bodyTimeout: config.timeoutMs,
    })
    this.#list = new ModelList(this.#table.providers, this.#agent, log)
  }

  send(request: ModelRequest, sink: AnswerSink): ModelCall {
    const call = new ForwardedCall(request, sink, {
      agent: this.#agent,
      destinations: this.#destinations(request),
      retries: this.#config.retries,
    })
    // Not at once: the sink is told nothing before its owner has the call.
    queueMicrotask(() => call.begin())
    return call
  }

  listModels(): Promise<readonly ListedModel[]> {
    return this.#list.read()
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }

  /** A caller's own key, in whatever header, goes to no other provider than the one that the model names. */
  #destinations({ model, path, passThroughKey }: ModelRequest): [Destination, ...Destination[]] {
    const first = this.#table.choose(model, path, passThroughKey !== undefined)
    const others =
      passThroughKey === undefined && Object.hasOwn(this.#config.fallbacks, model) ? this.#config.fallbacks[model] : []
    const known = (others ?? []).flatMap((other) => this.#known(other, path))
    const isNamed = ({ provider }: Destination) => first.isNamed && provider === first.provider
    return [first, ...known.map((other) => ({ ...other, isNamed: isNamed(other) }))]
  }

  #known(model: string, path: ModelRequest['path']): Destination[] {
    try {
      return [this.#table.choose(model, path, false)]
    } catch (error) {
      if (error instanceof ModelGatewayError) return []
      throw error
    }
  }
}
