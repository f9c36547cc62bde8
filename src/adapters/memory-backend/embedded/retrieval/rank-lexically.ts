import type { Database } from '../../../../db/database.ts'
import { speakerTerm } from '../text/text-vector.ts'
import { type AnalysedQuery, analyseQuery, type Question } from './analyse-query.ts'
import { chooseTerms } from './choose-terms.ts'
import { holdersOf } from './count-holders.ts'
import { countDocuments } from './document-count.ts'
import { findHolders, findPromising } from './find-promising.ts'
import { arrangeNeighbours, REACH } from './neighbours.ts'
import { type FoundMemory, findNeighbours, type SearchRange } from './queries.ts'
import { mergeRankings, rankByTime } from './rank-by-time.ts'
import { type RankedMemory, type Surroundings, scoreMemories, type Weights } from './score.ts'

/** The best candidates, whose neighbours are looked at. */
const MOST_CENTRES = 40

/** How many memories hold each term, and which terms name a speaker. */
async function lookAround(db: Database, range: SearchRange, query: AnalysedQuery): Promise<Surroundings> {
  const words = query.terms.filter(({ kind }) => kind === 'word').map(({ term }) => term)
  const documents = await countDocuments(db, range)
  const counts = await holdersOf(
    db,
    range,
    [...query.terms.map(({ term }) => term), ...words.map(speakerTerm)],
    documents,
  )
  const holders = counts.slice(0, query.terms.length)
  const names = new Set(words.filter((_, index) => (counts[query.terms.length + index] ?? 0) > 0))
  return { documents, holders, names }
}

/** Everything that a ranking is made of. */
export interface Gathered {
  readonly query: AnalysedQuery
  readonly around: Surroundings
  readonly memories: readonly FoundMemory[]
  /** Those whose neighbours are among `memories`. */
  readonly centres: readonly FoundMemory[]
}

/** What matches the words of a question, and the messages around the best of it; undefined: nothing does. At most seven statements. */
export async function gatherMemories(
  db: Database,
  range: SearchRange,
  question: Question,
  wanted: number,
): Promise<Gathered | undefined> {
  return gather(db, range, analyseQuery(question), wanted)
}

async function gather(
  db: Database,
  range: SearchRange,
  query: AnalysedQuery,
  wanted: number,
): Promise<Gathered | undefined> {
  if (query.terms.length === 0) return undefined
  const around = await lookAround(db, range, query)
  const found = await findMatches(db, range, query, around, wanted)
  if (found.length === 0) return undefined
  const byId = new Map(found.map((memory) => [memory.id, memory]))
  const centres = scoreMemories(query, found, new Map(), around)
    .slice(0, MOST_CENTRES)
    .flatMap(({ id }) => byId.get(id) ?? [])
    .filter(({ kind }) => kind !== 'fact')
  const messages = new Map(centres.map((memory) => [`${memory.timestamp} ${memory.sessionId}`, memory]))
  const neighbours = await findNeighbours(db, range, [...messages.values()], [...byId.keys()], REACH)
  return { query, around, memories: [...found, ...neighbours], centres }
}

/** Names of speakers are looked for only where nothing else is asked. */
async function findMatches(
  db: Database,
  range: SearchRange,
  query: AnalysedQuery,
  { holders, names }: Surroundings,
  wanted: number,
): Promise<FoundMemory[]> {
  const told = query.terms.flatMap((term, index) => (names.has(term.term) ? [] : [{ term, held: holders[index] ?? 0 }]))
  const chosen = chooseTerms(told, wanted)
  if (chosen.length > 0) return findPromising(db, range, chosen, told, wanted)
  const speakers = [...names].flatMap((name) => [name, speakerTerm(name)])
  return speakers.length > 0 ? findHolders(db, range, speakers) : []
}

export function rankGathered({ query, around, memories, centres }: Gathered, weights?: Weights): RankedMemory[] {
  return scoreMemories(query, memories, arrangeNeighbours(memories, centres), around, weights)
}

/**
 * What matches the words of a question, and answers to questions that do, best first; where it asks for a time alone, what was said then. At least `wanted`
 * memories, where there are so many; usually more.
 */
export async function rankLexically(
  db: Database,
  range: SearchRange,
  question: Question,
  wanted: number,
): Promise<RankedMemory[]> {
  const query = analyseQuery(question)
  const { dates, periods } = query
  if (!dates) return rankByWords(db, range, query, wanted)
  const byTime = await rankByTime(db, range, periods, wanted)
  // Without anything of that time, what it says besides may find something of another.
  if (byTime.length === 0) return rankByWords(db, range, query, wanted)
  return mergeRankings(byTime, await rankByWords(db, range, { ...query, terms: dates }, wanted))
}

async function rankByWords(
  db: Database,
  range: SearchRange,
  query: AnalysedQuery,
  wanted: number,
): Promise<RankedMemory[]> {
  const gathered = await gather(db, range, query, wanted)
  return gathered ? rankGathered(gathered) : []
}
