/** One attempt to hand an event to an address that an account chose. */
export interface WebhookRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** JSON. */
  readonly body: string
}

/** What became of an attempt that reached somebody who speaks HTTP. */
export interface WebhookAnswer {
  readonly status: number
  /** The beginning of the answer's body, as far as it is text. */
  readonly body: string
  /** Of the header `Retry-After`, as seconds from now. */
  readonly retryAfterSeconds: number | undefined
}

/**
 * - `forbidden`: the address is none that the gateway may call; it was not called.
 * - `unreachable`: no connection, no name, or one that broke.
 * - `timeout`: no connection, or no whole answer, in time.
 * - `stopped`: the gateway is ending.
 */
export type WebhookFailure = 'forbidden' | 'unreachable' | 'timeout' | 'stopped'

/** Why there is no answer. `message` is for the owner of the webhook: it says nothing of the network that the gateway is in. */
export class WebhookSendError extends Error {
  override name = 'WebhookSendError'
  readonly reason: WebhookFailure

  constructor(reason: WebhookFailure, message: string, cause?: unknown) {
    super(message, { cause })
    this.reason = reason
  }
}

/** Calls addresses that callers chose: every one of them may be an attempt to reach what only the gateway can reach. */
export interface WebhookSender {
  /** Why this address can never be called, as far as the address itself tells; undefined if nothing speaks against it. */
  objectionTo(url: string): string | undefined
  /**
   * Posts once. Follows no redirect, and calls no address within private networks, whatever a name resolves to at that moment. Rejects
   * with a `WebhookSendError`.
   */
  post(request: WebhookRequest, signal: AbortSignal): Promise<WebhookAnswer>
  close(): Promise<void>
}
