import { normalise } from '../../text/tokenise.ts'
import type { ServiceContext } from '../context.ts'
import { extractByModel } from './model/extract-by-model.ts'
import { extractByRules } from './rules/extract-by-rules.ts'
import type { MemoryType } from './schemas.ts'

export interface ConversationMessage {
  readonly role: 'user' | 'assistant' | 'system' | 'tool'
  readonly content: string
}

/** What may become a memory: `toNewMemory` makes the input of `storeMemories` of it. */
export interface MemoryCandidate {
  readonly content: string
  readonly type: MemoryType
  /** 0..1 */
  readonly confidence: number
  /** 0..1 */
  readonly importance: number
  readonly keyPoints: string[]
  /** Indexes of the messages that say so. */
  readonly sources: readonly number[]
}

export interface Extraction {
  /** In the order of their messages. */
  readonly candidates: readonly MemoryCandidate[]
  /** `rules` also where the model failed. */
  readonly by: 'model' | 'rules'
  /** What was looked at and left out: questions, greetings, requests, small talk. The reason is null if nothing was, and something is left. */
  readonly dropped: { readonly count: number; readonly reason: 'no_high_value_content' | null }
}

export interface ExtractionOptions {
  /** Statements of the assistant too, named as such and with a low confidence. Default: only what the user confirmed. */
  readonly includeAssistant?: boolean | undefined
}

/** What either way of extraction finds. */
export interface Found {
  readonly candidates: readonly MemoryCandidate[]
  readonly dropped: number
}

/** A message and its index in the conversation. */
export interface IndexedMessage extends ConversationMessage {
  readonly index: number
}

/**
 * Memories from a conversation: by the chat model if there is one, and by rules of words where there is none, where it fails, and for
 * earlier messages than it is shown. Stores nothing.
 */
export async function extractMemories(
  ctx: ServiceContext,
  messages: readonly ConversationMessage[],
  options: ExtractionOptions = {},
): Promise<Extraction> {
  const indexed = messages.map((message, index) => ({ ...message, index }))
  const { chatModel } = ctx.services
  const byModel = chatModel && (await extractByModel(ctx, chatModel, indexed, options))
  const byRules = extractByRules(indexed.slice(0, byModel?.from), options)
  const candidates = withoutRepeats([...byRules.candidates, ...(byModel?.candidates ?? [])])
  const count = byRules.dropped + (byModel?.dropped ?? 0)
  const reason = count > 0 || candidates.length === 0 ? 'no_high_value_content' : null
  return { candidates, by: byModel ? 'model' : 'rules', dropped: { count, reason } }
}

export function toNewMemory({ sources: _sources, ...fields }: MemoryCandidate): Omit<MemoryCandidate, 'sources'> {
  return fields
}

/** What was said more than once is one candidate, of all its messages. */
function withoutRepeats(candidates: readonly MemoryCandidate[]): MemoryCandidate[] {
  const known = new Map<string, MemoryCandidate>()
  for (const candidate of candidates) {
    const key = normalise(candidate.content).replace(/[\s\p{P}]+/gu, ' ')
    const before = known.get(key)
    const sources = [...new Set([...(before?.sources ?? []), ...candidate.sources])]
    known.set(key, { ...(before ?? candidate), sources })
  }
  return [...known.values()]
}
