import {
  type AddResult,
  BackendError,
  type BackendHealth,
  type BackendMessage,
  type BackendSession,
  type BackgroundProgress,
  type FlushResult,
  type MemoryBackend,
  type MemoryHit,
  type SearchAnswer,
  type SearchRequest,
} from '../../../ports/memory-backend.ts'
import { ApiPrefix } from './api-prefix.ts'
import { ByteSemaphore } from './byte-semaphore.ts'
import { EverosClient } from './client.ts'
import { Deadline } from './deadline.ts'
import { failure } from './errors.ts'
import { findMissing } from './find-missing.ts'
import { type ForgetTarget, forget } from './forget.ts'
import { askHealth } from './health.ts'
import { type SearchMethod, searchBodies, toHits } from './mapping.ts'
import { addBody, jsonBody, type RequestBody } from './request-body.ts'
import { addAnswer, flushAnswer, searchAnswer } from './wire.ts'

export interface EverosTimeouts {
  readonly connectMs: number
  readonly addMs: number
  readonly flushMs: number
  readonly searchMs: number
}

export interface EverosOptions {
  /** Where EverOS is, without the API prefix; may have a path. */
  readonly baseUrl: string
  /** Default: `/api/v2/memory`, or `/api/v1/memory` where the server has no other. */
  readonly apiPrefix?: string | undefined
  readonly timeouts?: Partial<EverosTimeouts> | undefined
  readonly maxAnswerBytes?: number | undefined
  /** Default: `hybrid` if the server has an embedding model, else `keyword`. */
  readonly searchMethod?: SearchMethod | undefined
  /** Larger files are sent as a presigned URL where the object store gives one. Default: never. */
  readonly presignAboveBytes?: number | undefined
  /** Base64 of all adds under way; what does not fit waits. */
  readonly base64InFlightBytes?: number | undefined
  /** How long the server may go on with an add after its answer was lost: its own limit of 360 s, and a margin. */
  readonly settleMs?: number | undefined
}

const MIB = 1024 * 1024

/** Talks to an EverOS server. What it relies on, and how the server differs from its documents: docs/everos.md. */
export function createEverosBackend(options: EverosOptions): MemoryBackend {
  return new EverosBackend(options)
}

class EverosBackend implements MemoryBackend {
  readonly name = 'everos'
  readonly settleMs: number
  readonly findsUnflushed = false
  readonly #options: EverosOptions
  readonly #timeouts: EverosTimeouts
  readonly #client: EverosClient
  readonly #prefix: ApiPrefix
  readonly #base64: ByteSemaphore
  #method: SearchMethod | undefined

  constructor(options: EverosOptions) {
    this.#options = options
    this.settleMs = options.settleMs ?? 390_000
    this.#timeouts = { connectMs: 2_000, addMs: 120_000, flushMs: 390_000, searchMs: 15_000, ...options.timeouts }
    this.#client = new EverosClient(options.baseUrl, {
      connectMs: this.#timeouts.connectMs,
      maxAnswerBytes: options.maxAnswerBytes ?? 8 * MIB,
    })
    this.#prefix = new ApiPrefix(this.#client, { prefix: options.apiPrefix, timeoutMs: this.#timeouts.searchMs })
    this.#base64 = new ByteSemaphore(options.base64InFlightBytes ?? 128 * MIB)
    this.#method = options.searchMethod
  }

  async health(): Promise<BackendHealth> {
    const { health } = await askHealth(this.#client, this.#options.baseUrl)
    return health
  }

  async add(session: BackendSession, messages: readonly BackendMessage[], signal?: AbortSignal): Promise<AddResult> {
    const path = `${await this.#prefix.get()}/add`
    const { body, release } = await this.#prepareAdd(session, messages, path, signal)
    try {
      const { request_id, data } = await this.#client.post(addAnswer, {
        path,
        body,
        timeoutMs: this.#timeouts.addMs,
        signal,
      })
      return {
        requestId: request_id,
        messageCount: data.message_count,
        status: data.status === 'extracted' ? 'extracted' : 'accumulated',
      }
    } finally {
      release()
    }
  }

  async flush(session: BackendSession, signal?: AbortSignal): Promise<FlushResult> {
    const { request_id, data } = await this.#client.post(flushAnswer, {
      path: `${await this.#prefix.get()}/flush`,
      body: jsonBody({ session_id: session.sessionId, app_id: 'default', project_id: session.projectId }),
      timeoutMs: this.#timeouts.flushMs,
      signal,
    })
    return { requestId: request_id, status: data.status === 'no_extraction' ? 'no_extraction' : 'extracted' }
  }

  async search(request: SearchRequest, signal?: AbortSignal): Promise<SearchAnswer> {
    return { hits: await this.#findHits(request, signal), method: 'backend' }
  }

  async #findHits(request: SearchRequest, signal: AbortSignal | undefined): Promise<MemoryHit[]> {
    const method = await this.#searchMethod()
    try {
      return await this.#searchBy(method, request, signal)
    } catch (error) {
      const isGone = error instanceof BackendError && error.code === 'PROVIDER_NOT_CONFIGURED'
      if (!isGone || this.#options.searchMethod) throw error
      // The server was started anew, with less than it had.
      this.#method = undefined
      const other = await this.#searchMethod()
      if (other === method) throw error
      return await this.#searchBy(other, request, signal)
    }
  }

  async findMissing(session: BackendSession, timestamps: readonly number[], signal?: AbortSignal) {
    const timeoutMs = this.#timeouts.searchMs
    return findMissing(this.#client, await this.#prefix.get(), session, timestamps, { timeoutMs, signal })
  }

  async forget(target: ForgetTarget, signal?: AbortSignal): Promise<'forgotten' | 'unsupported'> {
    const timeoutMs = this.#timeouts.searchMs
    return forget(this.#client, await this.#prefix.get(), target, { timeoutMs, signal })
  }

  tend(): Promise<BackgroundProgress> {
    return Promise.resolve({ remaining: 0 })
  }

  close(): Promise<void> {
    return this.#client.close()
  }

  /** Reads the small text files, then waits for its share of the base64 in flight; `addMs` bounds both together. */
  async #prepareAdd(
    session: BackendSession,
    messages: readonly BackendMessage[],
    at: string,
    outer: AbortSignal | undefined,
  ): Promise<{ body: RequestBody; release: () => void }> {
    const deadline = new Deadline(this.#timeouts.addMs, outer)
    const { signal } = deadline
    try {
      const body = await addBody(session, messages, this.#options.presignAboveBytes, signal)
      return { body, release: await this.#base64.acquire(body.base64Bytes, signal) }
    } catch (cause) {
      throw failure({ at, cause, sent: false, timedOut: deadline.timedOut, aborted: signal.aborted })
    } finally {
      deadline.clear()
    }
  }

  async #searchBy(method: SearchMethod, request: SearchRequest, signal: AbortSignal | undefined): Promise<MemoryHit[]> {
    const path = `${await this.#prefix.get()}/search`
    const timeoutMs = this.#timeouts.searchMs
    const answers = await Promise.all(
      searchBodies(request, method).map((body) =>
        this.#client.post(searchAnswer, { path, body: jsonBody(body), timeoutMs, signal }),
      ),
    )
    return toHits(
      answers.flatMap((answer) => answer.data.episodes),
      request,
    )
  }

  /** Asked for once: what the server can do is settled when it starts. Asked again while it does not answer. */
  async #searchMethod(): Promise<SearchMethod> {
    if (this.#method) return this.#method
    const { health, embeds } = await askHealth(this.#client, this.#options.baseUrl)
    const method = embeds ? 'hybrid' : 'keyword'
    if (health.status === 'ok') this.#method = method
    return method
  }
}
