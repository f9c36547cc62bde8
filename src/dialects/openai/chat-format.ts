import type { ChatTurn } from '../../domain/threads/chat-turn.ts'
import type { Edit, JsonSpans } from './json-spans.ts'

/** What a request says, as far as memory needs it. */
export interface SentChat {
  /** In the order of the request; instructions to the model are none. */
  readonly turns: readonly ChatTurn[]
  /** The role that the client's own leading instructions have. */
  readonly systemRole: 'system' | 'developer'
  /** The provider holds the conversation so far: no history is to be added. */
  readonly serverState: boolean
}

/** What memory adds to a request. */
export interface Injection {
  /** The text of the message that carries the memories: taken as it is. */
  readonly block: string | undefined
  /** Stored turns that the client did not send, oldest first. */
  readonly history: readonly ChatTurn[]
}

/** One of the chat APIs: what its requests and answers look like. Pure: no I/O, no state but in the taps. */
export interface ChatFormat {
  readonly path: '/v1/chat/completions' | '/v1/messages' | '/v1/responses'

  /**
   * What the request says. What is unknown or malformed yields fewer turns or parts; the provider will complain itself.
   * @throws JsonSpanError if a member that is read occurs twice.
   */
  read(body: Buffer, spans: JsonSpans): SentChat

  /**
   * The edits that add memory to the request, for `splice`. None if the request is not as the API demands.
   * Calls of tools in the history keep their results, and the other way round; those left alone are left out.
   * @throws JsonSpanError as `read`.
   */
  inject(body: Buffer, spans: JsonSpans, injection: Injection): readonly Edit[]

  /** Reads one answer that passes through. `contentType` is the answer's header. */
  tap(contentType: string | undefined): AnswerTap

  /** The event that tells a client of a stream that it failed. With `tap`: fit to follow what that has let pass. */
  streamError(message: string, tap?: AnswerTap): Buffer

  /** The body of an error answer. `more` goes beside the message, e.g. `{ scope, retry_after_seconds }`. */
  errorBody(type: string, message: string, more?: Readonly<Record<string, unknown>>): unknown
}

export interface Answer {
  /** What the model said; undefined if nothing. */
  readonly turn: ChatTurn | undefined
  /** In the API's own words; `error` if the provider said that it failed. */
  readonly finishReason: string | undefined
  /** False if it broke off or failed: the turn is then what came until there. */
  readonly isComplete: boolean
  /** Something is left out of the turn, because there was more than is kept. */
  readonly isTruncated: boolean
}

/**
 * Reads an answer on its way to the client. All bytes come out again in order, each once: from `push` what may be sent on,
 * from `rest` what was held back, that is the end of the answer: the terminal event of a stream, the last byte of a JSON body.
 */
export interface AnswerTap {
  /** The end of the answer has come, whether or not the provider closes the connection now. */
  readonly isEnded: boolean
  /** What has been let pass ends within an event. */
  readonly isMidEvent: boolean
  /** Number of the last event, where the API numbers them; else 0. */
  readonly sequence: number

  push(chunk: Buffer): Buffer[]
  /** The end of the answer. Of a stream, what is pushed after it passes. */
  rest(): Buffer[]
  /** What was said until now. May be called before `rest`. */
  answer(): Answer
}

export function isEventStream(contentType: string | undefined): boolean {
  return /^\s*text\/event-stream\b/i.test(contentType ?? '')
}
