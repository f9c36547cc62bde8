import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import type { Partition } from './queries.ts'
import { Turns } from './turns.ts'

/** So many are at work at a time in this process: one computes while the database takes in what another has. */
const AT_WORK = 2
const REST_MS = 20

/**
 * The turns of adds of many pages. Without them, long files that arrive faster than they are made into memories would take ever more of the process from
 * those who wait for an answer.
 */
export class LongAdds {
  readonly #turns = new Turns({ most: AT_WORK })
  readonly #isBusy: () => boolean

  /** `isBusy`: whether the process has more to do than it can. */
  constructor(isBusy: () => boolean = () => false) {
    this.#isBusy = isBusy
  }

  /** Rejects as `work` does, and once `signal` is aborted while it waits. */
  run<T>(partition: Partition, work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    return this.#turns.run(partition, work, signal)
  }

  /** Between pages: others have their turn, and more of them while the process is busy, as nobody waits for a page. */
  async rest(): Promise<void> {
    await (this.#isBusy() ? sleep(REST_MS) : setImmediate())
  }
}
