import type { Exchange } from '../../domain/threads/exchange.ts'
import type { AnswerHead } from '../../ports/model-gateway.ts'
import type { AnswerTap, ChatFormat } from './chat-format.ts'
import type { AnswerReader } from './relay-answer.ts'

/** The end of an answer waits this long for the exchange to be saved; the saving goes on behind it. */
const HOLD_MS = 2_000

/** Reads the answer to an exchange of a thread, and has the exchange saved before the caller sees its end. */
export class ExchangeReader implements AnswerReader {
  readonly #format: ChatFormat
  readonly #exchange: Exchange
  /** `provider/model` */
  readonly #model: string
  #tap: AnswerTap | undefined
  /** Whether it is said already what becomes of the exchange. */
  #isDecided = false

  constructor(format: ChatFormat, exchange: Exchange, model: string) {
    this.#format = format
    this.#exchange = exchange
    this.#model = model
  }

  get isEnded(): boolean {
    return this.#tap?.isEnded ?? false
  }

  /** A provider's error is no answer: it passes, and nothing is kept. */
  begin({ status, headers }: AnswerHead): void {
    if (status >= 400) return this.#abandon()
    const coding = headers['content-encoding']
    // One that compresses although it was asked not to cannot be read: what the user said is kept all the same.
    if (coding !== undefined && coding !== 'identity') return
    const type = headers['content-type']
    this.#tap = this.#format.tap(typeof type === 'string' ? type : undefined)
  }

  push(chunk: Buffer): Buffer[] {
    return this.#tap ? this.#tap.push(chunk) : [chunk]
  }

  async finish(): Promise<Buffer[]> {
    if (!this.#isDecided) await inTime(this.#save(false))
    return this.#tap?.rest() ?? []
  }

  cutOff(): void {
    if (!this.#isDecided) void this.#save(true)
  }

  streamError(message: string): Buffer {
    return this.#format.streamError(message, this.#tap)
  }

  /** What was said before a break is kept; without an answer nothing is. */
  #save(isCutOff: boolean): Promise<void> {
    this.#isDecided = true
    const model = this.#model
    const answer = this.#tap?.answer()
    if (isCutOff || answer?.isComplete === false) {
      if (!answer?.turn) return this.#exchange.abandon()
      return this.#exchange.finish(answer.turn, { model, finish_reason: 'cut_off' })
    }
    const reason = answer?.finishReason
    return this.#exchange.finish(answer?.turn, { model, ...(reason !== undefined && { finish_reason: reason }) })
  }

  #abandon(): void {
    this.#isDecided = true
    void this.#exchange.abandon()
  }
}

function inTime(work: Promise<void>): Promise<void> {
  const limit = Promise.withResolvers<void>()
  const timer = setTimeout(limit.resolve, HOLD_MS)
  return Promise.race([work, limit.promise]).finally(() => clearTimeout(timer))
}
