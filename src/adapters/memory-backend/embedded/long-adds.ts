import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { throwIfGivenUp } from './database-fault.ts'
import type { Partition } from './queries.ts'

/** So many are at work at a time in this process: one computes while the database takes in what another has. */
const AT_WORK = 2
const REST_MS = 20

/**
 * The turns of adds of many pages. Without them, long files that arrive faster than they are made into memories would take ever more of the process from
 * those who wait for an answer. Whose turn it is goes round by partition, so that nobody waits for all that another has sent.
 */
export class LongAdds {
  #atWork = 0
  readonly #waiting = new Map<string, Set<() => void>>()
  readonly #isBusy: () => boolean

  /** `isBusy`: whether the process has more to do than it can. */
  constructor(isBusy: () => boolean = () => false) {
    this.#isBusy = isBusy
  }

  /** Rejects as `work` does, and once `signal` is aborted while it waits. */
  async run<T>(partition: Partition, work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    // One that is given up already would not hear of it while it waits.
    throwIfGivenUp(signal)
    if (this.#atWork < AT_WORK) this.#atWork++
    else await this.#wait(`${partition.projectId} ${partition.senderId}`, signal)
    try {
      throwIfGivenUp(signal)
      return await work()
    } finally {
      this.#handOn()
    }
  }

  /** Between pages: others have their turn, and more of them while the process is busy, as nobody waits for a page. */
  async rest(): Promise<void> {
    await (this.#isBusy() ? sleep(REST_MS) : setImmediate())
  }

  #wait(key: string, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const own = this.#waiting.get(key) ?? new Set()
      this.#waiting.set(key, own)
      const begin = () => {
        signal?.removeEventListener('abort', giveUp)
        resolve()
      }
      // It takes its turn at once, to find that it is given up, and hands it on.
      const giveUp = () => {
        own.delete(begin)
        if (own.size === 0) this.#waiting.delete(key)
        this.#atWork++
        resolve()
      }
      own.add(begin)
      signal?.addEventListener('abort', giveUp, { once: true })
    })
  }

  #handOn(): void {
    this.#atWork--
    const [next] = this.#waiting
    if (!next || this.#atWork >= AT_WORK) return
    const [key, own] = next
    const [begin] = own
    // To the end of the round.
    this.#waiting.delete(key)
    if (begin) own.delete(begin)
    if (own.size > 0) this.#waiting.set(key, own)
    this.#atWork++
    begin?.()
  }
}
