import { type ChatFormat, isEventStream } from '../chat-format.ts'
import { SseTap } from '../sse.ts'
import { injectIntoChatCompletion } from './chat-completions-inject.ts'
import { readChatCompletion } from './chat-completions-read.ts'
import { ChatCompletionEvents, readChatCompletionAnswer } from './chat-completions-tap.ts'
import { errorEvent } from './error-event.ts'
import { JsonTap } from './json-tap.ts'

/** OpenAI's chat completions, and what other servers made of them. */
export const chatCompletions: ChatFormat = {
  path: '/v1/chat/completions',
  read: (_body, spans) => readChatCompletion(spans),
  inject: (_body, spans, injection) => injectIntoChatCompletion(spans, injection),
  tap: (contentType) =>
    isEventStream(contentType) ? new SseTap(new ChatCompletionEvents()) : new JsonTap(readChatCompletionAnswer),
  streamError: (message, tap) =>
    errorEvent(undefined, { error: { message, type: 'api_error', param: null, code: null } }, tap),
  errorBody: (type, message, more) => ({ error: { message, type, ...more } }),
}
