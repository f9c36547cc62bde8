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
  return serve({ ...services, chatModel })
}
