import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { Limits } from '../../config/config.ts'
import type { HttpContext } from '../../http/context.ts'
import { type DialectRouter, slashed } from '../../http/dialect.ts'
import { MalformedRequestError } from '../../http/errors.ts'
import { identifyCaller, threadHeaders } from '../../http/gateway-key.ts'
import { ModelGatewayError, type ModelPath } from '../../ports/model-gateway.ts'
import type { ChatFormat } from './chat-format.ts'
import { chatFormats } from './chat-formats.ts'
import { chatWithThread } from './chat-with-thread.ts'
import { toChatError } from './errors.ts'
import { messages } from './formats/messages.ts'
import { JsonSpanError } from './json-spans.ts'
import { receiveChat } from './received-chat.ts'
import { relayAnswer } from './relay-answer.ts'

const PATHS: Readonly<Record<ChatFormat['path'], ModelPath>> = {
  '/v1/chat/completions': '/chat/completions',
  '/v1/responses': '/responses',
  '/v1/messages': '/messages',
}

export function proxyRoutes(router: DialectRouter, { chatBytes }: Limits): void {
  for (const format of chatFormats) {
    const route = { format, path: PATHS[format.path], hasMemory: true }
    router.on('POST', slashed(format.path), (c) => passOn(c, route, chatBytes))
  }
  const counting = { format: messages, path: '/messages/count_tokens', hasMemory: false } as const
  router.on('POST', slashed('/v1/messages/count_tokens'), (c) => passOn(c, counting, chatBytes))
}

interface ProxyRoute {
  readonly format: ChatFormat
  readonly path: ModelPath
  readonly hasMemory: boolean
}

/** The order matters: who asks, and for which thread, is known before anything of the body is read. */
async function passOn(c: HttpContext, { format, path, hasMemory }: ProxyRoute, maxBytes: number): Promise<Response> {
  const isInThread = hasMemory && c.req.header('x-thread-id') !== undefined
  const uses = isInThread ? { searches: 1 } : {}
  const sender = await identifyCaller(c, { scope: 'write', rate: 'llm_proxy', uses })
  const thread = isInThread ? threadHeaders(c) : undefined
  try {
    using chat = await receiveChat(c, { format, path, sender }, maxBytes)
    if (thread) await chatWithThread(c, chat, thread)
    else await relayAnswer(c, chat.toRequest(c), { format, onBegun: () => chat[Symbol.dispose]() })
  } catch (error) {
    // Nobody is there to be told.
    if (c.get('signal').aborted) return RESPONSE_ALREADY_SENT
    if (error instanceof JsonSpanError) throw new MalformedRequestError(error.message)
    throw error instanceof ModelGatewayError ? toChatError(error) : error
  }
  return RESPONSE_ALREADY_SENT
}
