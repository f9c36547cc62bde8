import type { Limits } from '../../config/config.ts'
import type { Events } from '../../observability/events.ts'
import { GatewayError } from '../errors.ts'

/** Admits uploads up to the limits for the process and for each user. */
export class UploadGate {
  readonly #limits: Limits
  readonly #events: Events
  readonly #ofUser = new Map<string, number>()
  #inFlight = 0

  constructor(limits: Limits, events: Events) {
    this.#limits = limits
    this.#events = events
  }

  /** A place for one upload; dispose of it when the upload is over. `unavailable` if all are taken. */
  enter(): Disposable {
    if (this.#inFlight >= this.#limits.uploads) {
      throw new GatewayError('unavailable', 'The gateway is receiving as many uploads as it can. Try again.', {
        retryAfter: 1,
      })
    }
    this.#inFlight++
    this.#events.uploadStarted()
    return {
      [Symbol.dispose]: () => {
        this.#inFlight--
        this.#events.uploadEnded()
      },
    }
  }

  /** A place among the user's own. `rate_limited` if all are taken. */
  enterAs(userId: string): Disposable {
    const count = this.#ofUser.get(userId) ?? 0
    if (count >= this.#limits.uploadsPerUser) {
      throw new GatewayError(
        'rate_limited',
        `You have ${count} uploads under way, the most that one user may have. Wait for one to end.`,
        { retryAfter: 1, details: { max_uploads_per_user: this.#limits.uploadsPerUser } },
      )
    }
    this.#ofUser.set(userId, count + 1)
    return {
      [Symbol.dispose]: () => {
        const left = (this.#ofUser.get(userId) ?? 1) - 1
        if (left > 0) this.#ofUser.set(userId, left)
        else this.#ofUser.delete(userId)
      },
    }
  }
}
