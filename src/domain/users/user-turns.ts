import { GatewayError } from '../errors.ts'

/** Requests of one user that are worked on at a time; the next of theirs wait, and so leave the rest of the process to others. */
const AT_WORK = 4
/** The same as long as the process has no time left and others are there too. */
const AT_WORK_WHEN_BUSY = 1
const WAITING = 252

interface Turns {
  atWork: number
  readonly waiting: Set<() => void>
}

/** Whose turn it is: each user has as many as any other, however much they send. */
export class UserTurns {
  readonly #ofUser = new Map<string, Turns>()
  readonly #isBusy: () => boolean

  /** `isBusy`: whether the process has more to do than it can. */
  constructor(isBusy: () => boolean = () => false) {
    this.#isBusy = isBusy
  }

  /** Resolves when it is this request's turn; dispose of it when the work is done. `rate_limited` if too many wait. */
  async take(userId: string, signal: AbortSignal): Promise<Disposable> {
    const turns = this.#ofUser.get(userId) ?? { atWork: 0, waiting: new Set() }
    this.#ofUser.set(userId, turns)
    if (turns.atWork < this.#places()) turns.atWork++
    else await wait(turns, signal)
    let isDone = false
    return {
      [Symbol.dispose]: () => {
        if (!isDone) this.#end(userId, turns)
        isDone = true
      },
    }
  }

  #places(): number {
    return this.#ofUser.size > 1 && this.#isBusy() ? AT_WORK_WHEN_BUSY : AT_WORK
  }

  #end(userId: string, turns: Turns): void {
    turns.atWork--
    const places = this.#places()
    for (const next of turns.waiting) {
      if (turns.atWork >= places) break
      turns.atWork++
      next()
    }
    if (turns.atWork === 0) this.#ofUser.delete(userId)
  }
}

/** Until a turn is handed on, or the client is gone. */
function wait(turns: Turns, signal: AbortSignal): Promise<void> {
  if (turns.waiting.size >= WAITING) {
    throw new GatewayError(
      'rate_limited',
      `You have ${AT_WORK + WAITING} requests under way, the most that one user may have. Wait for one to end.`,
      { retryAfter: 1, details: { max_requests_per_user: AT_WORK + WAITING } },
    )
  }
  return new Promise((resolve, reject) => {
    const leave = () => {
      turns.waiting.delete(begin)
      signal.removeEventListener('abort', abandon)
    }
    const begin = () => {
      leave()
      resolve()
    }
    const abandon = () => {
      leave()
      reject(signal.reason instanceof Error ? signal.reason : new Error('The client is gone.'))
    }
    if (signal.aborted) return abandon()
    signal.addEventListener('abort', abandon)
    turns.waiting.add(begin)
  })
}
