interface Waiter {
  readonly bytes: number
  readonly enter: () => void
}

/** Bounds the bytes in flight, first come first served. A holder larger than the whole capacity goes alone. */
export class ByteSemaphore {
  readonly #capacity: number
  #taken = 0
  readonly #waiters: Waiter[] = []

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** Resolves with the function that gives the bytes back (once). Rejects with the signal's reason while waiting. */
  async acquire(bytes: number, signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted()
    const wanted = Math.min(bytes, this.#capacity)
    if (this.#waiters.length > 0 || this.#taken + wanted > this.#capacity) await this.#wait(wanted, signal)
    else this.#taken += wanted
    let held = true
    return () => {
      if (!held) return
      held = false
      this.#taken -= wanted
      this.#admit()
    }
  }

  #wait(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        bytes,
        enter: () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        },
      }
      const onAbort = () => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1)
        reject(signal?.reason)
        this.#admit()
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#waiters.push(waiter)
    })
  }

  #admit(): void {
    for (let next = this.#waiters[0]; next && this.#taken + next.bytes <= this.#capacity; next = this.#waiters[0]) {
      this.#waiters.shift()
      this.#taken += next.bytes
      next.enter()
    }
  }
}
