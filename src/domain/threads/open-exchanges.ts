/** A process that ends waits so long for exchanges that have begun. */
const END_MS = 3_000

/** The exchanges of a process that have begun and are not stored yet. */
export class OpenExchanges {
  readonly #open = new Set<Promise<void>>()
  readonly #ending = new AbortController()

  /** Aborts when the process ends: what cannot be stored then is not tried again. */
  get ending(): AbortSignal {
    return this.#ending.signal
  }

  /** Has `end` wait for it. */
  add(ended: Promise<void>): void {
    this.#open.add(ended)
    void ended.finally(() => this.#open.delete(ended))
  }

  /** For a process that ends: waits for what has begun, but not for long. */
  async end(): Promise<void> {
    this.#ending.abort()
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, END_MS)
    await Promise.race([Promise.allSettled(this.#open), late])
    clearTimeout(timer)
  }
}
