export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant'
  readonly content: string
  /** Shown after the text. A model that takes none refuses them (`rejected`), or does not see them. */
  readonly pictures?: readonly ChatPicture[]
}

export interface ChatPicture {
  readonly mimeType: 'image/png' | 'image/jpeg' | 'image/webp' | 'image/gif'
  readonly base64: string
}

export interface ChatRequest {
  readonly messages: readonly ChatMessage[]
  /** Of the answer. */
  readonly maxTokens?: number
  /** The answer is to be one JSON object that this JSON schema describes; the caller validates it all the same. */
  readonly schema?: { readonly name: string; readonly schema: Readonly<Record<string, unknown>> }
}

export interface ChatReply {
  readonly text: string
  /** As the provider counted them; undefined if it does not say. */
  readonly tokens: { readonly input: number; readonly output: number } | undefined
}

/**
 * - `rejected`: the provider refused the request; the same will be refused again.
 * - `unavailable`: away, busy, out of quota, or its answer is of no use; trying again may help.
 */
export type ModelFailure = 'rejected' | 'unavailable'

export class ModelError extends Error {
  override name = 'ModelError'
  readonly failure: ModelFailure
  /** Seconds after which the provider said to come again. */
  readonly retryAfter: number | undefined
  /** True if an operator has to act before any request can be answered: a wrong key, an unknown model, an account without means. */
  readonly needsOperator: boolean

  constructor(
    failure: ModelFailure,
    message: string,
    options: { cause?: unknown; retryAfter?: number; needsOperator?: boolean } = {},
  ) {
    super(message, { cause: options.cause })
    this.failure = failure
    this.retryAfter = options.retryAfter
    this.needsOperator = options.needsOperator ?? false
  }
}

/** A chat model. Failures are `ModelError`s; an aborted `signal` rejects with its reason. No adapter retries by itself. */
export interface ModelProvider {
  /** For people: which model it is. */
  readonly model: string
  complete(request: ChatRequest, signal?: AbortSignal): Promise<ChatReply>
  /** Releases its sockets. Idempotent; no other call may follow. */
  close(): Promise<void>
}
