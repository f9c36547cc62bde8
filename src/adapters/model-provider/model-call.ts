import type { IncomingHttpHeaders } from 'node:http'
import { Readable } from 'node:stream'
import type { Agent, Dispatcher } from 'undici'
import {
  type AnswerSink,
  type ModelCall,
  ModelGatewayError,
  type ModelGatewayFailure,
  type ModelRequest,
} from '../../ports/model-gateway.ts'
import { credentialHeaders, type Destination, withoutKeys } from './providers.ts'
import { retrySeconds } from './retry-after.ts'

/** Statuses of a provider that is busy or away for a moment. */
const PASSING = new Set([429, 502, 503, 529])
/** A provider that asks to wait for longer is not waited for. */
const MAX_WAIT_SECONDS = 5
const FIRST_WAIT_MS = 250
/** A larger body is written part by part: it is not copied into one, and is let go when it is sent rather than when it is answered. */
const JOINED_BYTES = 64 * 1024

const SAID: Readonly<Record<Exclude<ModelGatewayFailure, 'unknown_model'>, string>> = {
  unreachable: 'cannot be reached, or closed the connection without an answer',
  broken_off: 'broke off its answer',
  timeout: 'was silent for too long',
  redirect: 'answered with a redirect, which is not followed: correct its base URL in the settings of the gateway',
}

export interface CallPlan {
  readonly agent: Agent
  /** Where to ask, in this order. */
  readonly destinations: readonly [Destination, ...Destination[]]
  /** Further tries at each of them. */
  readonly retries: number
}

/** One request of a caller: as many tries as the plan has, of which one is answered. */
export class ForwardedCall implements ModelCall {
  readonly #request: ModelRequest
  readonly #sink: AnswerSink
  readonly #plan: CallPlan
  #controller: Dispatcher.DispatchController | undefined
  #timer: NodeJS.Timeout | undefined
  #at = 0
  #triesLeft: number
  #isOver = false

  constructor(request: ModelRequest, sink: AnswerSink, plan: CallPlan) {
    this.#request = request
    this.#sink = sink
    this.#plan = plan
    this.#triesLeft = plan.retries
  }

  abort(): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#controller?.abort(new Error('The caller is gone.'))
  }

  resume(): void {
    this.#controller?.resume()
  }

  begin(): void {
    if (this.#isOver) return
    const { destinations } = this.#plan
    const destination = destinations[this.#at] ?? destinations[0]
    try {
      this.#dispatch(destination)
    } catch (error) {
      // This runs in nobody's call: thrown on, it would end the process.
      this.#fail('unreachable', destination.provider.name, error instanceof Error ? error : undefined)
    }
  }

  #dispatch({ provider, model, isNamed }: Destination): void {
    const { path } = this.#request
    const headers = isNamed ? this.#request.headers : withoutKeys(this.#request.headers)
    const body = this.#request.body(model)
    const parts = Array.isArray(body) ? (body as readonly Buffer[]) : [body as Buffer]
    const length = parts.reduce((total, part) => total + part.length, 0)
    this.#plan.agent.dispatch(
      {
        origin: provider.origin,
        path: `${provider.basePath}${path}${provider.search}`,
        method: 'POST',
        headers: [...headers, ...credentialHeaders(provider, path, this.#request), 'content-length', String(length)],
        body: bodyOf(parts, length),
      },
      this.#attempt(provider.name),
    )
  }

  #attempt(provider: string): Dispatcher.DispatchHandler {
    const sink = this.#sink
    let [isSent, hasBegun, isDropped] = [false, false, false]
    return {
      onRequestStart: (controller) => {
        isSent = true
        this.#controller = controller
        if (this.#isOver) controller.abort(new Error('The caller is gone.'))
      },
      onResponseStart: (controller, status, headers) => {
        if (this.#isOver || status < 200) return
        const isRedirect = status >= 300 && status < 400
        isDropped = isRedirect || (PASSING.has(status) && this.#tryAgain(headers))
        if (isDropped) controller.abort(new Error('This answer is not passed on.'))
        if (isRedirect) this.#fail('redirect', provider)
        if (isDropped) return
        hasBegun = true
        sink.begin({ provider, status, headers: passedHeaders(headers) })
      },
      onResponseData: (controller, chunk) => {
        if (this.#isOver || isDropped) return
        if (!sink.data(chunk)) controller.pause()
      },
      onResponseEnd: () => {
        if (this.#isOver || isDropped) return
        this.#isOver = true
        sink.end()
      },
      onResponseError: (_, error) => {
        if (this.#isOver || isDropped) return
        if (!isSent && this.#tryAgain({})) return
        const isSilent = 'code' in error && /^UND_ERR_(HEADERS|BODY)_TIMEOUT$/.test(String(error.code))
        this.#fail(isSilent ? 'timeout' : hasBegun ? 'broken_off' : 'unreachable', provider, error)
      },
    }
  }

  #fail(failure: keyof typeof SAID, provider: string, cause?: Error): void {
    this.#isOver = true
    this.#sink.fail(
      new ModelGatewayError(failure, `The model provider "${provider}" ${SAID[failure]}.`, { provider, cause }),
    )
  }

  /** True if there is another try: it begins by itself. */
  #tryAgain(headers: IncomingHttpHeaders): boolean {
    const wait = this.#nextTry(retrySeconds(headers['retry-after']))
    if (wait === undefined) return false
    this.#controller = undefined
    this.#timer = setTimeout(() => this.begin(), wait)
    return true
  }

  /** How many ms after now; undefined if no try is left. */
  #nextTry(retryAfter: number | undefined): number | undefined {
    if (this.#triesLeft > 0 && (retryAfter ?? 0) <= MAX_WAIT_SECONDS) {
      const backoff = FIRST_WAIT_MS * 2 ** (this.#plan.retries - this.#triesLeft)
      this.#triesLeft--
      return retryAfter === undefined ? backoff * (0.75 + Math.random() / 2) : retryAfter * 1000
    }
    if (this.#at + 1 >= this.#plan.destinations.length) return undefined
    this.#at++
    this.#triesLeft = this.#plan.retries
    return 0
  }
}

function bodyOf(parts: readonly Buffer[], length: number): Buffer | Readable {
  if (length > JOINED_BYTES) return Readable.from(parts, { objectMode: false })
  const [only] = parts
  return only && parts.length === 1 ? only : Buffer.concat(parts, length)
}

/** Of the connection to the provider, and of its site: they mean nothing on the connection to the caller. */
const NOT_PASSED = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'set-cookie',
  'strict-transport-security',
  'alt-svc',
])

function passedHeaders(headers: IncomingHttpHeaders): Record<string, string | string[] | undefined> {
  const passed: Record<string, string | string[] | undefined> = {}
  // Its type does not tell of one that came twice.
  const { connection = '' }: Readonly<Record<string, string | string[] | undefined>> = headers
  const named = String(connection)
    .toLowerCase()
    .split(/\s*,\s*/)
  for (const name in headers) {
    if (!NOT_PASSED.has(name) && !name.startsWith('access-control-') && !named.includes(name))
      passed[name] = headers[name]
  }
  return passed
}
