import type { Term } from '../../../../text/tokenise.ts'
import type { TermCount } from './text-vector.ts'

export interface Candidate {
  readonly id: string
  /** Unix ms. */
  readonly timestamp: number
  /** Terms in the memory, repeats included. */
  readonly length: number
  /** Its counts of the query's terms, in their order; undefined where it has none. */
  readonly counts: readonly (TermCount | undefined)[]
}

export interface Ranked {
  readonly id: string
  readonly score: number
}

/** What lies around the candidates. */
export interface Surroundings {
  /** Memories that were searched. */
  readonly documents: number
  /** For each term of the query, in how many of them it is. */
  readonly holders: readonly number[]
}

/** BM25: how soon repetition stops to count, and how much a long memory loses. */
const K1 = 0.9
const B = 0.4
const CHARACTER_WEIGHT = 0.3
/** Memories assumed to exist besides: in a small memory, too, a term found once is rare, and scores mean the same. */
const ASSUMED_DOCUMENTS = 50
const FIELD_WEIGHTS = { title: 2, speaker: 1, body: 1 } as const

/** How much each term says, by its rarity. */
function termWeights(terms: readonly Term[], around: Surroundings): number[] {
  return terms.map(({ kind }, index) => {
    const holders = around.holders[index] ?? 0
    const documents = Math.max(around.documents, holders) + ASSUMED_DOCUMENTS
    const rarity = Math.log(1 + (documents - holders + 0.5) / (holders + 0.5))
    return kind === 'character' ? rarity * CHARACTER_WEIGHT : rarity
  })
}

/**
 * Ranks candidates by BM25, best first; equal ones newer first, then by id. The score is the share of the query's
 * weight that a memory carries, 0 < score < 1: about 0.5 where every term occurs once in a memory of usual length,
 * more where they repeat or stand in the title, less where the rarer terms are missing.
 */
export function rank(terms: readonly Term[], candidates: readonly Candidate[], around: Surroundings): Ranked[] {
  const weights = termWeights(terms, around)
  const full = weights.reduce((sum, weight) => sum + weight, 0) * (K1 + 1)
  const usual = candidates.reduce((sum, candidate) => sum + candidate.length, 0) / Math.max(candidates.length, 1) || 1
  const scored = candidates.map((candidate) => {
    const damping = K1 * (1 - B + (B * candidate.length) / usual)
    let sum = 0
    for (const [index, count] of candidate.counts.entries()) {
      if (!count) continue
      const frequency =
        count.title * FIELD_WEIGHTS.title + count.speaker * FIELD_WEIGHTS.speaker + count.body * FIELD_WEIGHTS.body
      sum += ((weights[index] ?? 0) * frequency * (K1 + 1)) / (frequency + damping)
    }
    return { id: candidate.id, timestamp: candidate.timestamp, score: full > 0 ? sum / full : 0 }
  })
  return scored
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score || b.timestamp - a.timestamp || (a.id < b.id ? -1 : 1))
    .map(({ id, score }) => ({ id, score }))
}
