/** Aborts after the time given, or with the caller's signal. */
export class Deadline {
  readonly #controller = new AbortController()
  readonly #timer: NodeJS.Timeout
  readonly #outer: AbortSignal | undefined
  #expired = false

  constructor(milliseconds: number, outer: AbortSignal | undefined) {
    this.#outer = outer
    this.#timer = setTimeout(() => {
      this.#expired = true
      this.#controller.abort(new Error(`no answer within ${milliseconds} ms`))
    }, milliseconds)
    if (outer?.aborted) this.#onOuterAbort()
    else outer?.addEventListener('abort', this.#onOuterAbort, { once: true })
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** The caller's own time-out counts as one too. */
  get timedOut(): boolean {
    const reason: unknown = this.#controller.signal.reason
    return this.#expired || (reason instanceof Error && reason.name === 'TimeoutError')
  }

  clear(): void {
    clearTimeout(this.#timer)
    this.#outer?.removeEventListener('abort', this.#onOuterAbort)
  }

  readonly #onOuterAbort = () => this.#controller.abort(this.#outer?.reason)
}
