import { keyPointsOf } from './rules/key-points.ts'
import { mapTypes, type Reading, readSentence, strongest } from './rules/read-sentence.ts'
import { sentencesOf } from './rules/sentences.ts'
import type { MemoryType } from './schemas.ts'

export interface Assessment {
  readonly type: MemoryType
  /** 0..1 */
  readonly confidence: number
  /** 0..1 */
  readonly importance: number
  /** The clauses of a long text that say most, in its own words and order; none for a short one. */
  readonly keyPoints: string[]
}

/** Of sentences, from the first. */
const MOST_READ = 300
/** A text that is about several things is not so clearly about one. */
const MIXED = 0.05
/** Below, a score is that of a hint, and counts a quarter: "is" may stand in every sentence. */
const CLEAR = 2

/** What a text is about, how sure that is, and how much it matters, by rules of words (docs/memories.md). */
export function assessText(text: string): Assessment {
  const readings = sentencesOf(text).slice(0, MOST_READ).map(readSentence)
  const stated = readings.filter(({ isStated }) => isStated)
  const read = stated.length > 0 ? stated : readings
  const type = strongest(mapTypes((one) => read.reduce((total, { scores }) => total + counted(scores[one]), 0)))
  const ofType = read.filter((reading) => reading.type === type)
  const isMixed = ofType.length < read.length
  return {
    type,
    confidence: round(Math.max(0.05, highest(ofType.length > 0 ? ofType : read, 'confidence') - (isMixed ? MIXED : 0))),
    importance: highest(read, 'importance'),
    keyPoints: keyPointsOf(text, stated),
  }
}

function counted(score: number): number {
  return score < CLEAR ? score / 4 : score
}

function highest(readings: readonly Reading[], field: 'confidence' | 'importance'): number {
  return Math.max(0.05, ...readings.map((reading) => reading[field]))
}

function round(share: number): number {
  return Math.round(share * 100) / 100
}
