import { type ChatFormat, isEventStream } from '../chat-format.ts'
import { SseTap } from '../sse.ts'
import { errorEvent } from './error-event.ts'
import { JsonTap } from './json-tap.ts'
import { injectIntoMessages } from './messages-inject.ts'
import { readMessages } from './messages-read.ts'
import { MessageEvents, readMessage } from './messages-tap.ts'

/** Anthropic's messages. */
export const messages: ChatFormat = {
  path: '/v1/messages',
  read: (_body, spans) => readMessages(spans),
  inject: (_body, spans, injection) => injectIntoMessages(spans, injection),
  tap: (contentType) => (isEventStream(contentType) ? new SseTap(new MessageEvents()) : new JsonTap(readMessage)),
  streamError: (message, tap) => errorEvent('error', { type: 'error', error: { type: 'api_error', message } }, tap),
  errorBody: (type, message, more) => ({
    type: 'error',
    error: { type: type === 'not_found' ? 'not_found_error' : type, message, ...more },
  }),
}
