import type { ChatReply, ChatRequest, ModelProvider } from '../../src/ports/model-provider.ts'

/** One fact as a model gives it; what is left out is of no interest. */
export interface GivenFact {
  readonly text: string
  readonly type?: string
  readonly confidence?: number
  readonly occurred_at?: string | null
  readonly sources?: readonly number[]
  readonly replaces?: readonly number[]
}

type Reply = string | Error | ((request: ChatRequest, signal: AbortSignal | undefined) => Promise<string> | string)

export interface FactModel extends ModelProvider {
  readonly requests: ChatRequest[]
  /** The next answers, one a request; without any it finds nothing. */
  readonly script: Reply[]
}

export function factsAnswer(...facts: readonly GivenFact[]): string {
  return JSON.stringify({
    facts: facts.map(({ text, ...more }) => ({
      text,
      type: 'fact',
      confidence: 0.9,
      occurred_at: null,
      sources: [1],
      replaces: [],
      ...more,
    })),
  })
}

/** A chat model that does as it is told, and remembers what it was asked. */
export function createFactModel(): FactModel {
  const requests: ChatRequest[] = []
  const script: Reply[] = []
  return {
    model: 'scripted',
    requests,
    script,
    async complete(request, signal): Promise<ChatReply> {
      signal?.throwIfAborted()
      requests.push(request)
      const reply = script.shift() ?? factsAnswer()
      if (reply instanceof Error) throw reply
      const text = typeof reply === 'string' ? reply : await reply(request, signal)
      return { text, tokens: { input: 100, output: 10 } }
    },
    close: () => Promise.resolve(),
  }
}

/** What a request shows the model besides its instructions. */
export function shownTo(request: ChatRequest | undefined): string {
  return request?.messages.find(({ role }) => role === 'user')?.content ?? ''
}
