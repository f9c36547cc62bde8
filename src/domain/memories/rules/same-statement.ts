import { documentTerms } from '../../../text/tokenise.ts'
import { kindOf } from './sentence-kind.ts'
import { sentencesOf } from './sentences.ts'

const DENIALS =
  /\b(?:no|not|never|none|nobody|nothing|without|neither|nor|cannot|hardly|stopped|quit|dont|doesnt|didnt|isnt|arent|wasnt|werent|cant|couldnt|wont|wouldnt|havent|hasnt)\b|n['’]t\b|不|没|无|未|别|非/gi

/** Of the words of the longer text; where somebody else says how similar is enough, none. */
const LEAST_SHARED = 0.9

/**
 * False for two texts of the same words of which one denies or asks what the other states, or has them in another order ("Ada is Bob's
 * mother"), and if a number is in one alone: the comparison of words, which leaves out "not" and the like, does not tell them apart.
 */
export function mayStateTheSame(one: string, other: string, leastShared = LEAST_SHARED): boolean {
  return (
    denials(one) === denials(other) &&
    asks(one) === asks(other) &&
    haveSameOrder(wordsOf(one), wordsOf(other), leastShared)
  )
}

/** Whether one of two statements of the same words, in the same order, denies the other. */
export function contradicts(one: string, other: string): boolean {
  if (denials(one) === denials(other) || asks(one) || asks(other)) return false
  return haveSameOrder(wordsOf(withoutDenials(one)), wordsOf(withoutDenials(other)), LEAST_SHARED)
}

function withoutDenials(text: string): string {
  return text.replace(/\b[a-z]+n['’]t\b/gi, '').replace(DENIALS, '')
}

function wordsOf(text: string): string[] {
  return [...new Set(documentTerms(text).map(({ term }) => term))]
}

function haveSameOrder(one: readonly string[], other: readonly string[], leastShared = LEAST_SHARED): boolean {
  const [inOne, inOther] = [new Set(one), new Set(other)]
  const alone = [...inOne.symmetricDifference(inOther)]
  if (alone.some((term) => /\d/.test(term))) return false
  const shared = one.filter((term) => inOther.has(term))
  if (shared.length < leastShared * Math.max(one.length, other.length)) return false
  const sharedByOther = other.filter((term) => inOne.has(term))
  return shared.every((term, index) => term === sharedByOther[index])
}

function denials(text: string): number {
  return (text.match(DENIALS)?.length ?? 0) % 2
}

function asks(text: string): boolean {
  return sentencesOf(text).some((sentence) => kindOf(sentence) === 'question')
}
