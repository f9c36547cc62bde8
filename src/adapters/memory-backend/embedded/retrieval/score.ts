import type { ScoreParts } from '../../../../ports/memory-backend.ts'
import type { Term } from '../../../../text/tokenise.ts'
import {
  countTerm,
  isSpokenBy,
  readVector,
  signsIn,
  type TermCount,
  type VectorTerms,
  wantedTerms,
} from '../text/text-vector.ts'
import type { AnalysedQuery } from './analyse-query.ts'
import type { Neighbour } from './neighbours.ts'
import type { FoundMemory } from './queries.ts'

/** A memory with its place in a ranking. */
export interface RankedMemory {
  readonly id: string
  /** 0..1, higher is better. */
  readonly score: number
  readonly parts: ScoreParts
}

/** What the ranking knows besides the memories. */
export interface Surroundings {
  /** Memories that were searched. */
  readonly documents: number
  /** For each term of the query, how many of them hold it. */
  readonly holders: readonly number[]
  /** Terms of the query that name a speaker. */
  readonly names: ReadonlySet<string>
}

/** How much each thing counts; `docs/retrieval.md` says what each brings. */
export const WEIGHTS = {
  /** BM25: how soon repetition stops to count, and how much a long memory loses. */
  k1: 0.8,
  b: 0.3,
  title: 2,
  character: 0.3,
  /** Of a speaker's name, where it stands in a text: mostly somebody is addressed. */
  name: 0.2,
  /** A word in a message before, by its distance; those after count a part of it. */
  nearby: [0.6, 0.3, 0.15],
  after: 0.5,
  /** And in a question just before. */
  answered: 1.5,
  /** Two words of the query next to each other there, too. */
  pair: 0.3,
  /** The rest are factors for what does not fit: said by another than the one named, */
  otherSpeaker: 0.83,
  /** without a time where one is asked for, */
  timeless: 0.77,
  /** within a week after the time that is asked for, or at another, */
  toldLater: 0.9,
  otherTime: 0.6,
  /** and nothing but a question. */
  asking: 0.6,
} as const

export type Weights = {
  readonly [Name in keyof typeof WEIGHTS]: (typeof WEIGHTS)[Name] extends number ? number : readonly number[]
}

/** Memories assumed to exist besides: in a small memory, too, a term found once is rare, and scores mean the same. */
const ASSUMED_DOCUMENTS = 50
const DAY = 86_400_000
const TOLD_WITHIN = 7 * DAY

interface Weighed {
  readonly terms: readonly { readonly term: Term; readonly weight: number }[]
  /** Neighbours in the question, as indices. */
  readonly pairs: readonly { readonly left: number; readonly right: number; readonly weight: number }[]
  readonly full: number
}

/** How much each term says, by its rarity. */
function weigh(query: AnalysedQuery, around: Surroundings, weights: Weights): Weighed {
  const onlyNames = query.terms.every(({ term }) => around.names.has(term))
  const terms = query.terms.map((term, index) => {
    const holders = around.holders[index] ?? 0
    const documents = Math.max(around.documents, holders) + ASSUMED_DOCUMENTS
    const rarity = Math.log(1 + (documents - holders + 0.5) / (holders + 0.5))
    const share =
      !onlyNames && around.names.has(term.term) ? weights.name : term.kind === 'character' ? weights.character : 1
    return { term, weight: rarity * share }
  })
  const words = terms.flatMap(({ term, weight }, index) => (term.kind === 'word' ? [{ index, weight }] : []))
  const pairs = words.slice(1).flatMap((right, index) => {
    const left = words[index]
    return left
      ? [{ left: left.index, right: right.index, weight: ((left.weight + right.weight) / 2) * weights.pair }]
      : []
  })
  const sum = (parts: readonly { weight: number }[]) => parts.reduce((total, { weight }) => total + weight, 0)
  return { terms, pairs, full: sum(terms) + sum(pairs) }
}

interface Counted {
  readonly memory: FoundMemory
  readonly vector: VectorTerms
  readonly counts: readonly (TermCount | undefined)[]
  readonly asks: number
  readonly tellsTime: boolean
}

/** By question: most memories are ranked twice, on their own and among those around them. */
const countedFor = new WeakMap<AnalysedQuery, Map<string, Counted>>()

/** What the vectors say of the query's terms, by memory. */
function countAll(query: AnalysedQuery, memories: readonly FoundMemory[]): Map<string, Counted> {
  const known = countedFor.get(query) ?? new Map<string, Counted>()
  countedFor.set(query, known)
  const wanted = wantedTerms(query.terms.map(({ term }) => term))
  return new Map(
    memories.map((memory) => {
      const { id } = memory
      const counted = known.get(id) ?? count(query, memory, wanted)
      known.set(id, counted)
      return [id, counted]
    }),
  )
}

function count(query: AnalysedQuery, memory: FoundMemory, wanted: ReturnType<typeof wantedTerms>): Counted {
  const vector = readVector(memory.vector, wanted)
  return { memory, vector, counts: query.terms.map(({ term }) => countTerm(vector, term)), ...signsIn(vector) }
}

/** With at most one term between: pairs of Han characters alternate with single ones. */
function inOrder(left: TermCount | undefined, right: TermCount | undefined): boolean {
  if (!left || !right) return false
  const places = new Set(right.places)
  return left.places.some((place) => places.has(place + 1) || places.has(place + 2))
}

/** How often a term stands in the messages nearby, each by its distance. */
function nearbyCounts(
  index: number,
  neighbours: readonly Neighbour[],
  counted: ReadonlyMap<string, Counted>,
  weights: Weights,
): number {
  let sum = 0
  for (const { memory, distance } of neighbours) {
    const near = counted.get(memory.id)
    const count = near?.counts[index]
    if (!near || !count) continue
    const byDistance = weights.nearby[Math.abs(distance) - 1] ?? 0
    const bySide = distance > 0 ? weights.after : distance === -1 && near.asks > 0 ? weights.answered : 1
    sum += byDistance * bySide
  }
  return sum
}

/** The time that is asked for; after it, for as long as people still tell of it; any other. */
function fitOf(query: AnalysedQuery, { timestamp }: FoundMemory, weights: Weights): number {
  const fits = (slack: number) => query.periods.some(({ from, to }) => timestamp >= from && timestamp <= to + slack)
  return fits(0) ? 1 : fits(TOLD_WITHIN) ? weights.toldLater : weights.otherTime
}

/** Which part of the score is left for what fits less. */
function factorsOf(
  { memory, vector, asks, tellsTime }: Counted,
  query: AnalysedQuery,
  around: Surroundings,
  weights: Weights,
): Record<string, number> {
  const factors: Record<string, number> = {}
  const named = [...around.names]
  if (named.length > 0) {
    factors.speaker = named.some((name) => isSpokenBy(vector, name)) ? 1 : weights.otherSpeaker
  } else if (query.asksAboutSelf) factors.speaker = memory.role === 'user' ? 1 : weights.otherSpeaker
  if (query.asksWhen) factors.time = tellsTime ? 1 : weights.timeless
  if (query.periods.length > 0) factors.period = fitOf(query, memory, weights)
  if (asks > 0) factors.asks = 1 - (1 - weights.asking) * (asks / 10)
  return factors
}

/** The share of the query's weight that a memory carries: by its own words, by those around it, and by pairs. */
function matchOf(each: Counted, around: Surroundings, weighed: Weighed, context: Context) {
  const { weights, usual, counted } = context
  const neighbours = context.neighboursOf.get(each.memory.id) ?? []
  const damping = weights.k1 * (1 - weights.b + (weights.b * each.memory.length) / usual)
  let words = 0
  let all = 0
  for (const [index, { weight, term }] of weighed.terms.entries()) {
    const count = each.counts[index]
    const spoken = around.names.has(term.term) && isSpokenBy(each.vector, term.term) ? 1 : 0
    const own = (count ? count.title * weights.title + count.body : 0) + spoken
    const both = own + nearbyCounts(index, neighbours, counted, weights)
    if (own > 0) words += (weight * own) / (own + damping)
    if (both > 0) all += (weight * both) / (both + damping)
  }
  let paired = 0
  for (const { left, right, weight } of weighed.pairs) {
    if (inOrder(each.counts[left], each.counts[right])) paired += weight
  }
  return { words: words / weighed.full, context: (all - words) / weighed.full, pairs: paired / weighed.full }
}

/** Whether the message before it asks something, in words of the query. */
function isAnswer({ memory }: Counted, { neighboursOf, counted }: Context): boolean {
  const before = neighboursOf.get(memory.id)?.find(({ distance }) => distance === -1)
  const question = before && counted.get(before.memory.id)
  return question !== undefined && question.asks > 0 && question.counts.some((count) => count !== undefined)
}

interface Context {
  readonly neighboursOf: ReadonlyMap<string, readonly Neighbour[]>
  readonly counted: ReadonlyMap<string, Counted>
  /** Mean length of the memories. */
  readonly usual: number
  readonly weights: Weights
}

/**
 * Ranks memories by BM25 over their own words and those around them, best first; equal ones newer first, then by id. What shares no word
 * with the query is left out, but for the answer to a question that does. The score is the share of the query's weight that a memory carries,
 * less what its factors take, 0 < score < 1: (`words` + `context` + `pairs`) × the product of the other parts.
 */
export function scoreMemories(
  query: AnalysedQuery,
  memories: readonly FoundMemory[],
  neighboursOf: ReadonlyMap<string, readonly Neighbour[]>,
  around: Surroundings,
  weights: Weights = WEIGHTS,
): RankedMemory[] {
  const weighed = weigh(query, around, weights)
  if (weighed.full === 0) return []
  const usual = memories.reduce((sum, { length }) => sum + length, 0) / Math.max(memories.length, 1) || 1
  const counted = countAll(query, memories)
  const context = { neighboursOf, counted, usual, weights }
  const scored = Array.from(counted.values(), (each) => {
    const match = matchOf(each, around, weighed, context)
    if (match.words === 0 && !isAnswer(each, context)) return undefined
    const factors = factorsOf(each, query, around, weights)
    const left = Object.values(factors).reduce((product, factor) => product * factor, 1)
    const score = (match.words + match.context + match.pairs) * left
    return { id: each.memory.id, timestamp: each.memory.timestamp, score, parts: { ...match, ...factors } }
  })
  return scored
    .filter((each) => each !== undefined)
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score || b.timestamp - a.timestamp || (a.id < b.id ? -1 : 1))
    .map(({ id, score, parts }) => ({ id, score, parts }))
}
