import { BackendError } from '../../../ports/memory-backend.ts'
import type { EverosClient } from './client.ts'

const candidates = ['/api/v2/memory', '/api/v1/memory'] as const

/** Finds out once where the server keeps its API: a GET of a POST route is a 405 where there is one, else a 404. */
export class ApiPrefix {
  readonly #client: EverosClient
  readonly #timeoutMs: number
  #found: string | undefined
  #finding: Promise<string> | undefined

  constructor(client: EverosClient, options: { prefix: string | undefined; timeoutMs: number }) {
    this.#client = client
    this.#timeoutMs = options.timeoutMs
    this.#found = options.prefix?.replace(/\/+$/, '')
  }

  async get(): Promise<string> {
    if (this.#found !== undefined) return this.#found
    this.#finding ??= this.#find()
    try {
      this.#found = await this.#finding
      return this.#found
    } finally {
      this.#finding = undefined
    }
  }

  async #find(): Promise<string> {
    for (const prefix of candidates) {
      const status = await this.#probe(`${prefix}/search`)
      if (status >= 500) {
        throw new BackendError('not_accepted', `HTTP_${status}`, `EverOS answers a look for its API with ${status}`)
      }
      if (status !== 404) return prefix
    }
    throw new BackendError(
      'not_accepted',
      'NOT_FOUND',
      `EverOS has neither ${candidates.join(' nor ')}: is the base URL right?`,
      { needsOperator: true },
    )
  }

  async #probe(path: string): Promise<number> {
    try {
      return (await this.#client.exchange({ path, timeoutMs: this.#timeoutMs })).status
    } catch (error) {
      if (!(error instanceof BackendError)) throw error
      // The call that this look is for has not been sent.
      const { code, message, needsOperator, timedOut } = error
      throw new BackendError('not_accepted', code, message, { cause: error, needsOperator, timedOut })
    }
  }
}
