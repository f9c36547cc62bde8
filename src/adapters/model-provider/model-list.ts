import type { Agent } from 'undici'
import { z } from 'zod'
import type { ListedModel } from '../../ports/model-gateway.ts'
import { credentialHeaders, type Provider } from './providers.ts'

export interface ModelListLog {
  warn(fields: Record<string, unknown>, message: string): void
}

const WAIT_MS = 5_000
const KEPT_MS = 60_000
/** A provider that failed is asked again after this long. */
const KEPT_FAILURE_MS = 10_000
/** The year 9999. */
const MAX_SECONDS = 253_402_300_799
const MAX_BYTES = 8 * 1024 * 1024

const text = z.string().max(1_000).catch('')
const answer = z.object({
  data: z.array(
    z.object({
      id: z.string().min(1).max(512),
      created: z.number().int().min(0).max(MAX_SECONDS).catch(0),
      created_at: text,
      display_name: text,
      name: text,
      owned_by: text,
    }),
  ),
})

interface Kept {
  readonly until: number
  readonly models: Promise<readonly ListedModel[]>
}

/** What the usable providers offer, asked of all at a time and kept for a minute. */
export class ModelList {
  readonly #providers: readonly Provider[]
  readonly #agent: Agent
  readonly #log: ModelListLog
  readonly #kept = new Map<string, Kept>()

  constructor(providers: readonly Provider[], agent: Agent, log: ModelListLog) {
    this.#providers = providers.filter(({ isUsable }) => isUsable)
    this.#agent = agent
    this.#log = log
  }

  async read(): Promise<readonly ListedModel[]> {
    return (await Promise.all(this.#providers.map((provider) => this.#modelsOf(provider)))).flat()
  }

  #modelsOf(provider: Provider): Promise<readonly ListedModel[]> {
    const kept = this.#kept.get(provider.name)
    if (kept && kept.until > performance.now()) return kept.models
    const models = this.#ask(provider).catch((error: unknown) => {
      this.#kept.set(provider.name, { until: performance.now() + KEPT_FAILURE_MS, models: Promise.resolve([]) })
      this.#log.warn({ err: error, provider: provider.name }, 'a provider did not list its models')
      return []
    })
    this.#kept.set(provider.name, { until: performance.now() + KEPT_MS, models })
    return models
  }

  async #ask(provider: Provider): Promise<ListedModel[]> {
    const query = provider.name === 'anthropic' ? '?limit=1000' : provider.search
    const { statusCode, body } = await this.#agent.request({
      origin: provider.origin,
      path: `${provider.basePath}/models${query}`,
      method: 'GET',
      headers: ['accept', 'application/json', ...credentialHeaders(provider, '/models', { headers: [] })],
      signal: AbortSignal.timeout(WAIT_MS),
    })
    if (statusCode !== 200) {
      await body.dump()
      throw new Error(`It answered HTTP ${statusCode}.`)
    }
    const chunks: Buffer[] = []
    let size = 0
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > MAX_BYTES) throw new Error(`Its list is longer than ${MAX_BYTES} bytes.`)
      chunks.push(chunk)
    }
    return readList(Buffer.concat(chunks).toString(), provider.name)
  }
}

/** A fault names places of the answer, and quotes none of it. */
function readList(body: string, provider: string): ListedModel[] {
  let given: unknown
  try {
    given = JSON.parse(body)
  } catch {
    throw new Error('Its list is no JSON.')
  }
  const list = answer.safeParse(given)
  if (!list.success) throw new Error('Its list is not in the form of OpenAI or Anthropic.')
  return list.data.data.map((model) => {
    // Google's ids are paths.
    const id = model.id.replace(/^models\//, '')
    const at = Date.parse(model.created_at)
    return {
      id: `${provider}/${id}`,
      name: model.display_name || model.name || id,
      ownedBy: model.owned_by || provider,
      created: model.created || (Number.isNaN(at) ? 0 : Math.max(0, Math.floor(at / 1000))),
    }
  })
}
