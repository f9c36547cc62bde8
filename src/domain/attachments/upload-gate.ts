import type { Limits } from '../../config/config.ts'
import type { Events } from '../../observability/events.ts'
import { GatewayError } from '../errors.ts'
import { ByteBudget } from './byte-budget.ts'

const MIB = 1024 * 1024
/** Uploads at a time whose key is still to come within the body. They never keep out those who showed theirs first. */
const UNIDENTIFIED_UPLOADS = 8
/** JSON bodies in memory: of callers who showed their key first, and of those whose key is still to come. */
const BODY_BYTES = 128 * MIB
const UNIDENTIFIED_BODY_BYTES = 32 * MIB
/** Time to show a key that comes within the body. */
export const KEY_DEADLINE_MS = 30_000

/** Admits uploads and bodies up to the limits for the process and for each user. */
export class UploadGate {
  readonly #limits: Limits
  readonly #events: Events
  readonly #ofUser = new Map<string, number>()
  readonly #bodies = new ByteBudget(BODY_BYTES)
  readonly #unidentifiedBodies = new ByteBudget(UNIDENTIFIED_BODY_BYTES)
  #inFlight = 0
  #unidentified = 0

  constructor(limits: Limits, events: Events) {
    this.#limits = limits
    this.#events = events
  }

  /** `unavailable` if all places are taken: to be asked before anything is done for a caller who will need one. */
  checkRoom(): void {
    if (this.#inFlight >= this.#limits.uploads) throw full(this.#limits.uploads)
  }

  /** A place for one upload of a known caller; dispose of it when the upload is over. `unavailable` if all are taken. */
  enter(): Disposable {
    this.checkRoom()
    this.#inFlight++
    return this.#begin(() => this.#inFlight--)
  }

  /** A place until the caller is known, from a pool of its own. `unavailable` if all are taken. */
  enterUnidentified(): Disposable {
    if (this.#unidentified >= UNIDENTIFIED_UPLOADS) throw full(UNIDENTIFIED_UPLOADS)
    this.#unidentified++
    return this.#begin(() => this.#unidentified--)
  }

  /** Room for a JSON body while it is read and worked on. `unavailable` if there is none. */
  holdBody(bytes: number, isIdentified: boolean): Disposable {
    return (isIdentified ? this.#bodies : this.#unidentifiedBodies).take(bytes)
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
    return once(() => {
      const left = (this.#ofUser.get(userId) ?? 1) - 1
      if (left > 0) this.#ofUser.set(userId, left)
      else this.#ofUser.delete(userId)
    })
  }

  #begin(leave: () => void): Disposable {
    this.#events.uploadStarted()
    return once(() => {
      leave()
      this.#events.uploadEnded()
    })
  }
}

function full(limit: number): GatewayError {
  return new GatewayError(
    'unavailable',
    'The gateway is receiving as many uploads as it can. Try again, with the key in the Authorization header.',
    { retryAfter: 1, details: { max_uploads: limit } },
  )
}

function once(action: () => void): Disposable {
  let isDone = false
  return {
    [Symbol.dispose]: () => {
      if (!isDone) action()
      isDone = true
    },
  }
}
