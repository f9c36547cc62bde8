import { assessText } from '../assess-text.ts'
import type { ExtractionOptions, Found, IndexedMessage, MemoryCandidate } from '../extract-memories.ts'
import { isSentenceWorthKeeping, isWorthKeeping } from '../worth-keeping.ts'
import { confirmedIn, isConfirmation } from './confirmed.ts'
import { withoutRequestToRemember } from './sentence-kind.ts'
import { LONGEST_READ, sentencesOf } from './sentences.ts'
import { inThirdPerson } from './third-person.ts'

/** A message that states more is a text of its own, and is kept whole. */
const MOST_STATEMENTS = 20
/** From here on each message is kept whole. */
const MANY_CANDIDATES = 200
const LONGEST_OF_ASSISTANT = 500
/** Nobody checked what an assistant said. */
const ASSISTANT_CONFIDENCE = 0.3
const CONFIRMED_CONFIDENCE = 0.8

/**
 * What the user's messages state, one candidate a sentence: said of "the user" where that is safe, otherwise in their own words. Nothing
 * is concluded.
 */
export function extractByRules(messages: readonly IndexedMessage[], options: ExtractionOptions): Found {
  const candidates: MemoryCandidate[] = []
  let dropped = 0
  for (const [position, message] of messages.entries()) {
    const before = messages.slice(0, position).findLast(({ role }) => role === 'user' || role === 'assistant')
    const found = fromMessage(message, before, options, candidates.length >= MANY_CANDIDATES)
    candidates.push(...found.candidates)
    dropped += found.dropped
  }
  return { candidates, dropped }
}

function fromMessage(
  message: IndexedMessage,
  before: IndexedMessage | undefined,
  options: ExtractionOptions,
  wholly: boolean,
): Found {
  if (message.role === 'assistant') return options.includeAssistant ? fromAssistant(message) : NOTHING
  if (message.role !== 'user') return NOTHING
  const stated = fromUser(message, wholly)
  if (before?.role !== 'assistant' || !isConfirmation(message.content)) return stated
  const confirmed = confirmedIn(before.content).map((content) => ({
    ...assessed(content, [before.index, message.index]),
    confidence: Math.min(CONFIRMED_CONFIDENCE, assessText(content).confidence),
  }))
  // A mere "yes" is no loss when it says so much.
  const dropped = confirmed.length > 0 ? Math.max(0, stated.dropped - 1) : stated.dropped
  return { candidates: [...confirmed, ...stated.candidates], dropped }
}

const NOTHING: Found = { candidates: [], dropped: 0 }

function fromUser({ content, index }: IndexedMessage, wholly: boolean): Found {
  const sentences = sentencesOf(content)
  const kept = sentences.filter(isSentenceWorthKeeping)
  const isLong = kept.length > MOST_STATEMENTS || content.length > LONGEST_READ || wholly
  if (isLong && isWorthKeeping(content)) return { candidates: [assessed(content.trim(), [index])], dropped: 0 }
  const candidates = kept.map((sentence) => {
    const told = withoutRequestToRemember(sentence)
    return { ...assessed(sentence, [index]), content: inThirdPerson(told) ?? told }
  })
  return { candidates, dropped: sentences.length - kept.length }
}

function fromAssistant({ content, index }: IndexedMessage): Found {
  const sentences = sentencesOf(content)
  const kept = sentences.filter(isSentenceWorthKeeping)
  if (kept.length === 0) return { candidates: [], dropped: sentences.length }
  const said = cut(kept.join(' '), LONGEST_OF_ASSISTANT)
  const { importance, ...rest } = assessed(said, [index])
  const candidate = { ...rest, content: `The assistant said: ${said}`, importance: importance / 2 }
  return {
    candidates: [{ ...candidate, confidence: Math.min(ASSISTANT_CONFIDENCE, rest.confidence) }],
    dropped: sentences.length - kept.length,
  }
}

function assessed(content: string, sources: readonly number[]): MemoryCandidate {
  return { content, ...assessText(content), sources }
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…`.toWellFormed() : text
}
