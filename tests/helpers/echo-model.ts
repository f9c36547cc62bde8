import type { ModelGateway, ModelPath } from '../../src/ports/model-gateway.ts'
import type { ModelProvider } from '../../src/ports/model-provider.ts'
import { serve, type TestGateway } from './gateway.ts'

/** The shared gateway's services behind a server of their own, with a chat model that repeats all that it is shown. */
export function serveEcho({ services }: TestGateway) {
  const chatModel: ModelProvider = {
    model: 'echo',
    complete: ({ messages, schema }) => {
      const shown = messages.map(({ content }) => content).join('\n')
      const text = schema?.name === 'answer' ? JSON.stringify({ answer: shown, sources: [1, 2, 3] }) : shown
      return Promise.resolve({ text, tokens: { input: 10, output: 5 } })
    },
    close: () => Promise.resolve(),
  }
  return serve({ ...services, chatModel, modelGateway: echoGateway })
}

/** A provider that answers a chat with all that it was sent. */
const echoGateway: ModelGateway = {
  send({ path, model, body }, sink) {
    const sent = body(model)
    const shown = (Buffer.isBuffer(sent) ? sent : Buffer.concat(sent)).toString()
    setImmediate(() => {
      sink.begin({ provider: 'echo', status: 200, headers: { 'content-type': 'application/json' } })
      sink.data(Buffer.from(JSON.stringify(ANSWERS[path](shown))))
      sink.end()
    })
    return { abort() {}, resume() {} }
  },
  listModels: () => Promise.resolve([{ id: 'echo/echo', name: 'echo', ownedBy: 'echo', created: 0 }]),
  close: () => Promise.resolve(),
}

const ANSWERS: Readonly<Record<ModelPath, (text: string) => object>> = {
  '/chat/completions': (content) => ({
    choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
  }),
  '/messages': (text) => ({
    type: 'message',
    role: 'assistant',
    content: [{ type: 'text', text }],
    stop_reason: 'end_turn',
  }),
  '/messages/count_tokens': () => ({ input_tokens: 10 }),
  '/responses': (text) => ({
    object: 'response',
    status: 'completed',
    output: [{ type: 'message', role: 'assistant', content: [{ type: 'output_text', text }] }],
  }),
}
