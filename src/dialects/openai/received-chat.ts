import { GatewayError } from '../../domain/errors.ts'
import type { HttpContext } from '../../http/context.ts'
import { MalformedRequestError } from '../../http/errors.ts'
import type { GatewaySender } from '../../http/gateway-key.ts'
import { receiveBody } from '../../http/middleware/json-body.ts'
import type { ModelPath, ModelRequest } from '../../ports/model-gateway.ts'
import type { ChatFormat, Injection, SentChat } from './chat-format.ts'
import { passedHeaders } from './headers.ts'
import { type Edit, JsonSpanError, JsonSpans, type Span, splice } from './json-spans.ts'

/** What is known of a chat before its body is read. */
export interface ChatRoute {
  readonly format: ChatFormat
  readonly path: ModelPath
  readonly sender: GatewaySender
}

interface Content {
  readonly body: Buffer
  readonly spans: JsonSpans
  readonly model: Span
  /** What the body holds of the memory for bodies. */
  readonly room: Disposable
}

/**
 * A chat as it came in: bytes, of which nothing but the structure is known. They stay in memory until it is disposed of, however long the answer
 * to it takes; so nobody else keeps them.
 */
export class ReceivedChat implements Disposable {
  readonly route: ChatRoute
  /** As the caller wrote it: `provider/model`, or a model alone. */
  readonly model: string
  #content: Content | undefined

  constructor(route: ChatRoute, model: string, content: Content) {
    this.route = route
    this.model = model
    this.#content = content
  }

  read(): SentChat {
    const { body, spans } = this.#whole()
    return this.route.format.read(body, spans)
  }

  inject(injection: Injection): readonly Edit[] {
    const { body, spans } = this.#whole()
    return this.route.format.inject(body, spans, injection)
  }

  /** The request for a provider: the body with the edits, and with the model's name there; of both nothing, if nothing changes. */
  toRequest(c: HttpContext, edits: readonly Edit[] = [], isRead = false): ModelRequest {
    return {
      path: this.route.path,
      model: this.model,
      headers: passedHeaders(c.env.incoming, isRead),
      passThroughKey: this.route.sender.passThrough,
      body: (upstreamModel) => {
        const { body, model } = this.#whole()
        const name = upstreamModel === this.model ? [] : [{ ...model, text: JSON.stringify(upstreamModel) }]
        return edits.length + name.length === 0 ? body : splice(body, [...edits, ...name]).chunks
      },
    }
  }

  [Symbol.dispose](): void {
    this.#content?.room[Symbol.dispose]()
    this.#content = undefined
  }

  #whole(): Content {
    if (!this.#content) throw new Error('The chat was let go before its request was made.')
    return this.#content
  }
}

/** `invalid_request` if the body is no JSON object, or names no model. */
export async function receiveChat(c: HttpContext, route: ChatRoute, maxBytes: number): Promise<ReceivedChat> {
  const { body, room } = await receiveBody(c, maxBytes)
  const spans = readSpans(body)
  const span = spans.member('model')
  const model = spans.text('model')
  if (!span || !model) throw new GatewayError('invalid_request', 'model is needed: a text like "provider/model".')
  return new ReceivedChat(route, model, { body, spans, model: span, room })
}

function readSpans(body: Buffer): JsonSpans {
  try {
    return new JsonSpans(body)
  } catch (error) {
    throw error instanceof JsonSpanError ? new MalformedRequestError(error.message) : error
  }
}
