import { type MemoryType, memoryTypes } from '../schemas.ts'
import { BASE_IMPORTANCE, IMPORTANCE_CUES, UNSTATED_IMPORTANCE } from './importance-cues.ts'
import { kindOf, withoutRequestToRemember } from './sentence-kind.ts'
import { DENIAL, DENIAL_WITHIN, TYPE_CUES } from './type-cues.ts'

export type Scores = Readonly<Record<MemoryType, number>>

/** What the rules make of one sentence. */
export interface Reading {
  readonly sentence: string
  /** False for a question, a request, a greeting. */
  readonly isStated: boolean
  readonly scores: Scores
  readonly type: MemoryType
  /** 0..1 */
  readonly confidence: number
  /** 0..1 */
  readonly importance: number
}

/** What is read of one; the cues are not looked for beyond. */
const LONGEST_SENTENCE = 1_000
/** Of a statement that no cue speaks for. */
const NOTHING_SAID = 0.5
const HIGHEST_CONFIDENCE = 0.95
const UNSTATED_CONFIDENCE = 0.2
/** Where another type has nearly as much to say for it. */
const RIVAL_WITHIN = 0.5

const LESS_SURE: readonly (readonly [change: number, cue: RegExp])[] = [
  [
    0.15,
    /\b(?:maybe|perhaps|probably|possibly|might|may be|not sure|I think|I guess|I believe|seems?|kind of|sort of|supposedly)\b|可能|也许|大概|或许|好像|似乎|应该是|我觉得|我猜|说不定/i,
  ],
  // Told of the other, who was not asked.
  [0.15, /^(?:so |and |well,? )?(?:you|your)\b|^[你您]/i],
]

export function readSentence(sentence: string): Reading {
  const told = withoutRequestToRemember(sentence).slice(0, LONGEST_SENTENCE)
  const weights = weightsOf(told)
  const scores = mapTypes((type) => scoreOf(weights[type]))
  const type = strongest(scores)
  const isStated = kindOf(sentence) === 'statement'
  return {
    sentence,
    isStated,
    scores,
    type,
    confidence: isStated ? confidenceOf(told, type, scores, Math.max(0, ...weights[type])) : UNSTATED_CONFIDENCE,
    importance: isStated ? importanceOf(sentence.slice(0, LONGEST_SENTENCE), type) : UNSTATED_IMPORTANCE,
  }
}

/** The type with the highest score, of equals the first of `TIES`; a fact if nothing speaks for any. */
export function strongest(scores: Scores): MemoryType {
  const [best = 'fact'] = TIES.toSorted((one, other) => scores[other] - scores[one])
  return scores[best] > 0 ? best : 'fact'
}

const TIES: readonly MemoryType[] = ['relationship', 'preference', 'goal', 'experience', 'fact']

export function mapTypes(value: (type: MemoryType) => number): Scores {
  return Object.fromEntries(memoryTypes.map((type) => [type, value(type)])) as Record<MemoryType, number>
}

/** Of the cues that the sentence has, by the type that they speak for. */
function weightsOf(sentence: string): Record<MemoryType, number[]> {
  const weights: Record<MemoryType, number[]> = { preference: [], fact: [], experience: [], goal: [], relationship: [] }
  for (const { type, weight, cue, denied } of TYPE_CUES) {
    const found = cue.exec(sentence)
    if (found) weights[denied !== undefined && isDenied(sentence, found) ? denied : type].push(weight)
  }
  return weights
}

function isDenied(sentence: string, { index, 0: match }: RegExpExecArray): boolean {
  return DENIAL.test(sentence.slice(Math.max(0, index - 40), index)) || DENIAL_WITHIN.test(match)
}

/** The clearest cue, and a quarter of each other: many hints do not make a clear sign. */
function scoreOf(weights: readonly number[]): number {
  const clearest = Math.max(0, ...weights)
  return clearest + 0.25 * (weights.reduce((total, weight) => total + weight, 0) - clearest)
}

function confidenceOf(sentence: string, type: MemoryType, scores: Scores, clearest: number): number {
  const cuesSay = clearest === 0 ? NOTHING_SAID : 0.55 + 0.1 * clearest
  const rival = Math.max(...memoryTypes.filter((other) => other !== type).map((other) => scores[other]))
  const lessFor = LESS_SURE.filter(([, cue]) => cue.test(sentence)).reduce((total, [change]) => total + change, 0)
  const lessForRival = rival > 0 && scores[type] - rival < RIVAL_WITHIN ? 0.1 : 0
  return round(Math.min(HIGHEST_CONFIDENCE, cuesSay) - lessFor - lessForRival)
}

function importanceOf(sentence: string, type: MemoryType): number {
  const changes = IMPORTANCE_CUES.filter(({ cue }) => cue.test(sentence)).map(({ change }) => change)
  const total = changes.reduce((sum, change) => sum + change, BASE_IMPORTANCE[type])
  return round(Math.min(1, Math.max(0.05, total)))
}

function round(share: number): number {
  return Math.round(share * 100) / 100
}
