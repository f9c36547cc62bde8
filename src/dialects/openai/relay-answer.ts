import type { ServerResponse } from 'node:http'
import type { HttpContext } from '../../http/context.ts'
import type { AnswerHead, AnswerSink, ModelCall, ModelGatewayError, ModelRequest } from '../../ports/model-gateway.ts'
import type { ChatFormat } from './chat-format.ts'
import { toChatError } from './errors.ts'
import { setAnswerHeaders } from './headers.ts'
import { WholeEvents } from './whole-events.ts'

/** Reads an answer on its way, and keeps what it says. */
export interface AnswerReader {
  begin(head: AnswerHead): void
  /** What may go on to the caller now. */
  push(chunk: Buffer): Buffer[]
  /** The end of the answer has come, and is held back. */
  readonly isEnded: boolean
  /** Resolves with the end of the answer when it may go out. */
  finish(): Promise<Buffer[]>
  /** The answer ends here, incomplete: the provider broke off or failed, or the caller is gone. Nothing after `finish`. */
  cutOff(): void
  /** The event that tells of a failure, fit to follow what went out. */
  streamError(message: string): Buffer
}

export interface RelayOptions {
  readonly format: ChatFormat
  /** Undefined: the answer passes unread. */
  readonly reader?: AnswerReader | undefined
  /** When no further try may ask for the body again. */
  onBegun(): void
}

/**
 * Sends the request to its provider, and the answer to the caller as it comes and as fast as they take it. Resolves when it is over, however it
 * ended; rejects with a GatewayError if there was no answer, so that nothing was sent. A caller who leaves takes the provider's call with them.
 */
export async function relayAnswer(c: HttpContext, request: ModelRequest, options: RelayOptions): Promise<void> {
  await new Relay(c, options).run(request)
}

class Relay implements AnswerSink {
  readonly #c: HttpContext
  readonly #outgoing: ServerResponse
  readonly #options: RelayOptions
  readonly #over = Promise.withResolvers<void>()
  readonly #start = performance.now()
  #call: ModelCall | undefined
  /** Until it is sent, a failure can still be told by a status of its own. */
  #head: AnswerHead | undefined
  #events: WholeEvents | undefined
  #stall: NodeJS.Timeout | undefined
  #ending: Promise<void> | undefined
  /** The provider has closed its answer. */
  #isAll = false

  constructor(c: HttpContext, options: RelayOptions) {
    this.#c = c
    this.#outgoing = c.env.outgoing
    this.#options = options
  }

  async run(request: ModelRequest): Promise<void> {
    const outgoing = this.#outgoing
    if (outgoing.closed) return
    this.#call = this.#c.get('services').modelGateway.send(request, this)
    outgoing.on('error', () => {})
    outgoing.once('close', () => this.#leave())
    outgoing.on('drain', () => this.#goOn())
    await this.#over.promise
  }

  begin(head: AnswerHead): void {
    const { reader, onBegun } = this.#options
    this.#note(head)
    onBegun()
    reader?.begin(head)
    this.#head = head
    if (!isEventStream(head)) return
    this.#events = new WholeEvents()
    this.#sendHead()
    // The caller learns at once that an answer is on its way; most often its first events have come with the head, and go out with it.
    process.nextTick(() => {
      if (!this.#outgoing.headersSent) this.#outgoing.flushHeaders()
    })
  }

  data(chunk: Buffer): boolean {
    this.#sendHead()
    const whole = this.#events ? this.#events.push(chunk) : chunk
    if (whole) this.#pass(whole)
    if (!this.#outgoing.writableNeedDrain) return true
    const { timeoutMs } = this.#c.get('services').config.models
    this.#stall ??= setTimeout(() => this.#outgoing.destroy(), timeoutMs)
    return false
  }

  end(): void {
    this.#isAll = true
    this.#sendHead()
    const rest = this.#events?.rest()
    if (rest) this.#pass(rest)
    if (this.#options.reader) this.#endRead()
    else this.#close()
  }

  fail(error: ModelGatewayError): void {
    const { reader, format } = this.#options
    const outgoing = this.#outgoing
    this.#c.get('log').warn({ err: error.cause, provider: error.provider, failure: error.failure }, error.message)
    this.#isAll = true
    // All that there is to be said has come.
    if (this.#ending) return this.#endRead()
    reader?.cutOff()
    if (this.#head || !(outgoing.headersSent || this.#events)) return this.#over.reject(toChatError(error))
    this.#c.set('errorCode', toChatError(error).code)
    const canTell = this.#events?.isCut === false && !outgoing.hasHeader('content-length')
    if (canTell) outgoing.end(reader ? reader.streamError(error.message) : format.streamError(error.message))
    else outgoing.destroy()
    this.#over.resolve()
  }

  #sendHead(): void {
    if (!this.#head) return
    setAnswerHeaders(this.#outgoing, this.#head)
    this.#outgoing.statusCode = this.#head.status
    this.#head = undefined
  }

  #pass(chunk: Buffer): void {
    const { reader } = this.#options
    if (!reader) {
      this.#outgoing.write(chunk)
      return
    }
    for (const piece of reader.push(chunk)) this.#outgoing.write(piece)
    if (reader.isEnded) this.#endRead()
  }

  /** Once: what the answer says is kept, then its end goes out. */
  #endRead(): void {
    const { reader } = this.#options
    if (!reader) return
    this.#ending ??= reader.finish().then((rest) => {
      for (const piece of rest) this.#write(piece)
    })
    if (this.#isAll) void this.#ending.then(() => this.#close())
  }

  #write(chunk: Buffer): void {
    if (!this.#outgoing.destroyed) this.#outgoing.write(chunk)
  }

  #close(): void {
    if (!this.#outgoing.destroyed) this.#outgoing.end()
    this.#over.resolve()
  }

  #goOn(): void {
    clearTimeout(this.#stall)
    this.#stall = undefined
    this.#call?.resume()
  }

  #leave(): void {
    clearTimeout(this.#stall)
    this.#call?.abort()
    if (!this.#isAll && !this.#ending) this.#options.reader?.cutOff()
    this.#over.resolve()
  }

  #note({ provider, status }: AnswerHead): void {
    const ms = performance.now() - this.#start
    this.#c.get('services').metrics.modelAnswers.observe({ provider, status }, ms / 1000)
    this.#c.set('upstream', { provider, upstreamStatus: status, upstreamMs: Math.round(ms * 100) / 100 })
  }
}

/** Of which the events can be told apart: not compressed. */
function isEventStream({ headers }: AnswerHead): boolean {
  const type = headers['content-type']
  const coding = headers['content-encoding']
  return (
    typeof type === 'string' && /^text\/event-stream\b/i.test(type) && (coding === undefined || coding === 'identity')
  )
}
