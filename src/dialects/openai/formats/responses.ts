import { type ChatFormat, isEventStream } from '../chat-format.ts'
import { SseTap } from '../sse.ts'
import { errorEvent } from './error-event.ts'
import { JsonTap } from './json-tap.ts'
import { injectIntoResponses } from './responses-inject.ts'
import { readResponsesRequest } from './responses-read.ts'
import { ResponseEvents, readResponse } from './responses-tap.ts'

/** OpenAI's responses. */
export const responses: ChatFormat = {
  path: '/v1/responses',
  read: (_body, spans) => readResponsesRequest(spans),
  inject: (_body, spans, injection) => injectIntoResponses(spans, injection),
  tap: (contentType) => (isEventStream(contentType) ? new SseTap(new ResponseEvents()) : new JsonTap(readResponse)),
  streamError: (message, tap) => {
    const event = {
      type: 'error',
      code: 'server_error',
      message,
      param: null,
      sequence_number: (tap?.sequence ?? -1) + 1,
    }
    return errorEvent('error', event, tap)
  },
  errorBody: (type, message, more) => ({ error: { message, type, ...more } }),
}
