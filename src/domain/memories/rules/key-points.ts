import { type Reading, readSentence } from './read-sentence.ts'
import { clausesOf, lengthOf } from './sentences.ts'

/** From here on a text has key points. */
const LONG_TEXT = 200
const MOST_KEY_POINTS = 5
const LONGEST_KEY_POINT = 200

/** The clauses of a long text that say most, in their order: what matters and has clear cues, and of equals the first. */
export function keyPointsOf(text: string, stated: readonly Reading[]): string[] {
  if (lengthOf(text) < LONG_TEXT) return []
  return stated
    .flatMap(({ sentence }) => clausesOf(sentence, LONGEST_KEY_POINT))
    .filter((clause) => clause.length <= LONGEST_KEY_POINT)
    .map((clause, position) => ({ clause, position, worth: worthOf(clause) }))
    .toSorted((one, other) => other.worth - one.worth || one.position - other.position)
    .slice(0, MOST_KEY_POINTS)
    .toSorted((one, other) => one.position - other.position)
    .map(({ clause }) => clause)
}

function worthOf(clause: string): number {
  const { scores, importance } = readSentence(clause)
  return importance + Math.max(...Object.values(scores)) / 10
}
