import type { MessageMetadata } from '../../db/schema/messages.ts'
import type { ChatTurn } from './chat-turn.ts'
import type { ThreadContext, ThreadRow } from './thread-context.ts'

/** What a client newly said in a thread, while the model answers. */
export interface Exchange {
  /**
   * Stores the turns and the answer to them, if there was one. Resolves when they are durable, or when it has given up: that is logged and
   * counted. It never rejects, and does it once however often it is called.
   */
  finish(answer: ChatTurn | undefined, meta: MessageMetadata): Promise<void>
  /** Nothing is kept, unless it was finished before. */
  abandon(): Promise<void>
}

/** Takes the turns' files in at once. Never throws: what cannot be kept becomes its placeholder. */
export function beginExchange(_ctx: ThreadContext, _thread: ThreadRow, _turns: readonly ChatTurn[]): Exchange {
  return { finish: async () => {}, abandon: async () => {} }
}
