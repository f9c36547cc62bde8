import type { Conversation, Reply } from '../conversation.ts'

/** One of the three protocols: how it asks, answers, streams and refuses. */
export interface TestFormat {
  /** End of its path. */
  readonly path: string
  /** Throws a `Refusal` for what a provider would not take. */
  read(body: unknown): Conversation
  answer(reply: Reply): object
  /** The events of a stream, each as it goes over the line. */
  events(reply: Reply): string[]
  /** Body of an error. */
  error(status: number, message: string): object
}

/** As models stream: a few words at a time. */
export const piecesOf = (text: string): string[] => text.match(/\S+\s*|\s+/g) ?? []

export const namedEvent = (name: string, data: object): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`

const TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  529: 'overloaded_error',
}

export const errorType = (status: number): string =>
  TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error')
