/** The paths of a provider's API that chats go to, below its base URL. */
export type ModelPath = '/chat/completions' | '/responses' | '/messages' | '/messages/count_tokens'

/** The caller's own key for the provider, as they sent it. Used for one call; never stored, never logged. */
export interface PassThroughKey {
  readonly header: 'authorization' | 'x-api-key'
  /** The header's value as it came. */
  readonly value: string
}

/** Names and values in turns, as Node's `rawHeaders`. */
export type HeaderList = readonly string[]

export interface ModelRequest {
  readonly path: ModelPath
  /** As the caller wrote it: `provider/model`, or a model alone. */
  readonly model: string
  /** The body for a model of that name. It is asked for again for each further try. */
  body(upstreamModel: string): Buffer | readonly Buffer[]
  /** What of the caller's headers may pass: no credentials, nothing of the connection, no Content-Length. */
  readonly headers: HeaderList
  readonly passThroughKey: PassThroughKey | undefined
}

export interface AnswerHead {
  /** Name of the provider that answers. */
  readonly provider: string
  readonly status: number
  /** Lower-case names; nothing of the connection. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/** Takes an answer as it comes. Nothing is called after `end` or `fail`, nor after `abort` of the call. */
export interface AnswerSink {
  begin(head: AnswerHead): void
  /** False: no more, please, until `resume` of the call. The chunk is the sink's to keep. */
  data(chunk: Buffer): boolean
  end(): void
  /** Instead of everything, or after a part of the answer. */
  fail(error: ModelGatewayError): void
}

export interface ModelCall {
  /** The caller is gone: the provider's connection is closed at once, however far the call is. Idempotent. */
  abort(): void
  resume(): void
}

/**
 * - `unknown_model`: no provider takes a model of that name; the message, for the caller, says which setting would change that.
 * - `unreachable`: no connection, or it closed before an answer.
 * - `broken_off`: closed within the answer.
 * - `timeout`: silent for too long.
 * - `redirect`: the provider sent the call elsewhere, and that is not followed.
 */
export type ModelGatewayFailure = 'unknown_model' | 'unreachable' | 'broken_off' | 'timeout' | 'redirect'

/** The message is for the caller: it has neither keys nor addresses. */
export class ModelGatewayError extends Error {
  override name = 'ModelGatewayError'
  readonly failure: ModelGatewayFailure
  /** Undefined if none was chosen. */
  readonly provider: string | undefined

  constructor(failure: ModelGatewayFailure, message: string, options: { provider?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.failure = failure
    this.provider = options.provider
  }
}

export interface ListedModel {
  /** `provider/model`, as a request names it. */
  readonly id: string
  readonly name: string
  readonly ownedBy: string
  /** Unix seconds; 0 if the provider does not say. */
  readonly created: number
}

/**
 * The providers of models that callers reach through the gateway. Bytes pass as they are, both ways. Tries again, and tries other models,
 * only where the settings say so, and only before anything was answered; a caller's own key goes to the provider that its model names alone.
 */
export interface ModelGateway {
  /**
   * Sends a request, and its answer to the sink, whatever its status: a provider's error is an answer. Fails through the sink, never
   * before this returns, but for `unknown_model`, which is thrown.
   */
  send(request: ModelRequest, sink: AnswerSink): ModelCall
  /** What the configured providers offer, with the configured keys; a provider that fails is left out. */
  listModels(): Promise<readonly ListedModel[]>
  /** Breaks off what is under way. Idempotent. */
  close(): Promise<void>
}
