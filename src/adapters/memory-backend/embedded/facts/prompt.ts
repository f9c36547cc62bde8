import type { JsonQuestion } from '../../../../prompts/ask-for-json.ts'
import { dataNotice, fence } from '../../../../prompts/fence.ts'
import { FactsAnswer, type KnownFact } from './fact.ts'
import type { ShownMessage, Window } from './window.ts'

const ANSWER_TOKENS = 4_000

/** What the model is asked of a window. That it compares what it finds with facts that are known is Mem0's idea (https://arxiv.org/abs/2504.19413). */
export function factsQuestion(window: Window, known: readonly KnownFact[]): JsonQuestion<typeof FactsAnswer> {
  const { earlier, messages } = window
  const blocks = [
    ...(known.length > 0 ? [fence('known_facts', known.map(knownLine))] : []),
    fence('conversation', [...earlier, ...messages].map(messageLine)),
  ]
  return {
    name: 'facts',
    schema: FactsAnswer,
    system: instructions(earlier.length),
    data: blocks.join('\n\n'),
    maxTokens: ANSWER_TOKENS,
  }
}

function instructions(read: number): string {
  return [
    'You draw from a conversation what will be worth knowing about its people in months: who they are, what they like, do, plan and have lived through, and with whom.',
    dataNotice('conversation'),
    dataNotice('known_facts'),
    'Each message begins with its number, its time (UTC), and who says it.',
    ...(read > 0 ? [`Messages 1 to ${read} were read before: they only help to understand the others.`] : []),
    'text: one sentence that is understood without the conversation. Use names instead of pronouns ("I" is whoever says it), and dates instead of words like "yesterday", counted from the time of the message.',
    'Write it in the language of the message, and do not translate.',
    'Take only what messages state. Conclude nothing, add nothing. Leave out greetings, thanks, questions, requests, general knowledge, and what somebody only suggests to another. If a message corrects another one, take what holds in the end.',
    'type: preference (likes, dislikes, habits, wishes), experience (what happened), goal (intentions, plans, appointments), relationship (between people), fact (all else).',
    'confidence: 0 to 1, how clearly it is stated.',
    'occurred_at: when it happened, begins or will be, as YYYY, YYYY-MM, YYYY-MM-DD or YYYY-MM-DDTHH:MM, if it was said; otherwise null.',
    'sources: the numbers of the messages that state it.',
    'replaces: the numbers of those known facts that are not true any more because of it; otherwise an empty list. If a message says again what a known fact says, give it in the very words of the known fact.',
    'Nothing worth knowing: an empty list of facts.',
  ].join('\n')
}

const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']

function messageLine({ timestamp, speaker, role, text }: ShownMessage): string {
  const who = speaker === '' || speaker === role ? `The ${role}` : `${speaker} (${role})`
  return `[${WEEKDAYS[new Date(timestamp).getUTCDay()] ?? '?'} ${timeOf(timestamp, 16)}] ${who}: ${text}`
}

function knownLine({ text, timestamp }: KnownFact): string {
  return `[${timeOf(timestamp, 10)}] ${text}`
}

/** A caller's number may be no time at all. */
function timeOf(timestamp: number, length: number): string {
  const at = new Date(timestamp)
  return Number.isNaN(at.getTime()) ? '?' : at.toISOString().slice(0, length).replace('T', ' ')
}
