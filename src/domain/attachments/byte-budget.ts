import { GatewayError } from '../errors.ts'

/** Bytes that may be in memory at a time; what does not fit is refused at once. */
export class ByteBudget {
  readonly #maxBytes: number
  #held = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Holds so many bytes until disposed of. `unavailable` if they do not fit beside what is held. */
  take(bytes: number): Disposable {
    if (this.#held + bytes > this.#maxBytes) {
      throw new GatewayError('unavailable', 'The gateway is reading as much as it can hold. Try again.', {
        retryAfter: 1,
        details: { max_bytes_in_flight: this.#maxBytes },
      })
    }
    this.#held += bytes
    let isHeld = true
    return {
      [Symbol.dispose]: () => {
        if (isHeld) this.#held -= bytes
        isHeld = false
      },
    }
  }
}
