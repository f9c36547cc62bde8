import { throwIfGivenUp } from './database-fault.ts'
import type { Partition } from './queries.ts'

export interface TurnLimits {
  /** Weight of all that is at work at a time. */
  readonly most: number
  /** And of what is one partition's, so that its slow work leaves room for others. */
  readonly mostOfOne?: number
}

interface Waiting {
  readonly weight: number
  readonly begin: () => void
}

/** Ends a turn; more than once is harmless. */
export type EndTurn = () => void

/** Work of which only so much goes on at a time in this process. Whose turn it is goes round by partition, so that nobody waits for all that another has sent. */
export class Turns {
  readonly #most: number
  readonly #mostOfOne: number
  #atWork = 0
  readonly #atWorkOf = new Map<string, number>()
  /** In the order of the round. */
  readonly #waiting = new Map<string, Set<Waiting>>()

  constructor({ most, mostOfOne = most }: TurnLimits) {
    this.#most = most
    this.#mostOfOne = mostOfOne
  }

  /** Rejects as `work` does, and once `signal` is aborted while it waits. */
  async run<T>(partition: Partition, work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const end = await this.begin(partition, signal)
    try {
      throwIfGivenUp(signal)
      return await work()
    } finally {
      end()
    }
  }

  /** Resolves once it is the caller's turn; whose `signal` is aborted by then has left. A weight beyond the limits is all that one may have. */
  begin({ projectId, senderId }: Partition, signal: AbortSignal | undefined, weight = 1): Promise<EndTurn> {
    const key = `${projectId} ${senderId}`
    const own = this.#waiting.get(key) ?? new Set()
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        own.delete(waiting)
        if (own.size === 0 && this.#waiting.get(key) === own) this.#waiting.delete(key)
        try {
          throwIfGivenUp(signal)
        } catch (error) {
          reject(error)
        }
        // It may have stood in the way of others.
        this.#handOn()
      }
      const waiting: Waiting = {
        weight: Math.min(weight, this.#mostOfOne, this.#most),
        begin: () => {
          signal?.removeEventListener('abort', giveUp)
          resolve(this.#endOf(key, waiting.weight))
        },
      }
      if (signal?.aborted) return giveUp()
      own.add(waiting)
      this.#waiting.set(key, own)
      signal?.addEventListener('abort', giveUp, { once: true })
      this.#handOn()
    })
  }

  #endOf(key: string, weight: number): EndTurn {
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      this.#atWork -= weight
      const left = (this.#atWorkOf.get(key) ?? 0) - weight
      if (left > 0) this.#atWorkOf.set(key, left)
      else this.#atWorkOf.delete(key)
      this.#handOn()
    }
  }

  #handOn(): void {
    for (let next = this.#next(); next; next = this.#next()) {
      const [key, waiting] = next
      const own = this.#waiting.get(key)
      // To the end of the round.
      this.#waiting.delete(key)
      own?.delete(waiting)
      if (own && own.size > 0) this.#waiting.set(key, own)
      this.#atWork += waiting.weight
      this.#atWorkOf.set(key, (this.#atWorkOf.get(key) ?? 0) + waiting.weight)
      waiting.begin()
    }
  }

  /** Who has all that one may have is passed over; for who only needs more than is free, others wait, or it would wait for ever. */
  #next(): [string, Waiting] | undefined {
    for (const [key, own] of this.#waiting) {
      const [first] = own
      if (!first || (this.#atWorkOf.get(key) ?? 0) + first.weight > this.#mostOfOne) continue
      return this.#atWork + first.weight <= this.#most ? [key, first] : undefined
    }
    return undefined
  }
}
