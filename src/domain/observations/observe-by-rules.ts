import { extractByRules } from '../memories/rules/extract-by-rules.ts'
import { isQuestion } from '../memories/worth-keeping.ts'
import type { Observation, Priority } from './log.ts'
import { dateAndTime, type ObservedMessage, shown } from './transcript.ts'

const HIGH_IMPORTANCE = 0.7
const MEDIUM_IMPORTANCE = 0.4
const LONGEST_QUESTION = 200

/** What the user's messages state, and what they ask, in their own words and order. Nothing is concluded. */
export function observeByRules(messages: readonly ObservedMessage[]): Observation[] {
  const indexed = messages.map(({ role, text }, index) => ({ role, content: shown(text), index }))
  const stated = extractByRules(indexed, {}).candidates.map(({ content, importance, sources }) => ({
    index: Math.max(...sources),
    priority: priorityOf(importance),
    text: content,
  }))
  const asked = indexed
    .filter(({ role, content }) => role === 'user' && isQuestion(content))
    .map(({ content, index }) => ({ index, priority: 'low' as const, text: `User asked: ${cut(content.trim())}` }))
  return [...stated, ...asked]
    .toSorted((one, other) => one.index - other.index)
    .map(({ index, priority, text }) => ({ ...dateAndTime(messages[index]?.at ?? 0), priority, text, details: [] }))
}

function priorityOf(importance: number): Priority {
  if (importance >= HIGH_IMPORTANCE) return 'high'
  return importance >= MEDIUM_IMPORTANCE ? 'medium' : 'low'
}

function cut(text: string): string {
  return text.length > LONGEST_QUESTION ? `${text.slice(0, LONGEST_QUESTION - 1)}…` : text
}
