import type { MessageSize } from './message-queries.ts'

/** Of messages that the Observer reads at a time, as Observational Memory is published. */
const MOST_TOKENS = 10_000
export const MOST_MESSAGES = 200

/** The next messages to be observed: they end with this one. */
export interface ChunkEnd {
  /** Its upstream timestamp. */
  readonly through: number
  /** Of all of them. */
  readonly tokens: number
}

/**
 * Of the sizes of the messages that wait, oldest first: as many as the Observer reads at a time, at least one. They end where an exchange
 * does, if that is not before half of them: calls of tools and their results stay together. Undefined if none wait.
 */
export function nextChunk(sizes: readonly MessageSize[]): ChunkEnd | undefined {
  let tokens = 0
  let taken: ChunkEnd | undefined
  let whole: ChunkEnd | undefined
  for (const [index, size] of sizes.slice(0, MOST_MESSAGES).entries()) {
    if (taken && tokens + size.tokens > MOST_TOKENS) break
    tokens += size.tokens
    taken = { through: size.through, tokens }
    if (endsExchange(size, sizes[index + 1])) whole = taken
  }
  return whole && whole.tokens * 2 >= tokens ? whole : taken
}

function endsExchange({ role, hasCalls }: MessageSize, next: MessageSize | undefined): boolean {
  return next ? next.role === 'user' : role === 'assistant' && !hasCalls
}
