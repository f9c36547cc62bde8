import { assessText } from './assess-text.ts'
import { isFiller } from './rules/fillers.ts'
import { kindOf } from './rules/sentence-kind.ts'
import { sentencesOf } from './rules/sentences.ts'

/** Below, a text is small talk. */
const LEAST_IMPORTANCE = 0.2

/** True if a text has nothing but greetings, thanks, agreement and signs. */
export function isTrivial(text: string): boolean {
  return isFiller(text) || sentencesOf(text).every((sentence) => kindOf(sentence) === 'filler')
}

/** True if a text has nothing but questions. */
export function isQuestion(text: string): boolean {
  const kinds = sentencesOf(text).map(kindOf)
  return kinds.includes('question') && kinds.every((kind) => kind === 'question' || kind === 'filler')
}

/** Whether a text states anything that is worth to be remembered, beside greetings, small talk, questions and requests. */
export function isWorthKeeping(text: string): boolean {
  return sentencesOf(text).some(isSentenceWorthKeeping)
}

export function isSentenceWorthKeeping(sentence: string): boolean {
  return kindOf(sentence) === 'statement' && assessText(sentence).importance >= LEAST_IMPORTANCE
}
