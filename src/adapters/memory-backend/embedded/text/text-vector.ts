import { createHash } from 'node:crypto'
import type { TextSigns } from '../../../../text/text-signs.ts'
import type { Term } from '../../../../text/tokenise.ts'

/** Weight labels of PostgreSQL: where in a memory a term stands. `D`, a single Han character of the body, is not written. */
export const FIELD_LABELS = { title: 'A', body: 'C' } as const

/** Terms of a memory, by where they stand. */
export interface MemoryTerms {
  readonly title: readonly Term[]
  /** Kept apart from the words of texts, so that a query's names of speakers can be told from what was said of them. */
  readonly speaker: readonly Term[]
  readonly body: readonly Term[]
}

export interface TermCount {
  readonly title: number
  readonly body: number
  /** Its places among all terms of the memory, ascending. */
  readonly places: readonly number[]
}

const LAST_POSITION = 16_383
const MOST_POSITIONS = 255

function quote(term: string): string {
  return `'${term.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
}

/**
 * A term that every memory of a partition has, and that no text can: in an index of all partitions, terms are looked
 * up together with it.
 */
export function partitionTerm(partition: { readonly projectId: string; readonly senderId: string }): string {
  const { projectId, senderId } = partition
  const hash = createHash('sha256')
    .update(JSON.stringify([projectId, senderId]))
    .digest('hex')
  return `=${hash.slice(0, 16)}`
}

/** The form in which a speaker's name is kept; no text has such a term. */
export const speakerTerm = (term: string): string => `@${term}`

const ASKS = '?'
const TELLS_TIME = '#time'

/**
 * A `tsvector` as text, built here so that it is the same on every server, whatever its dictionaries and locale. `scope`: what the memory belongs to, as
 * `scopeTerms` says it.
 */
export function textVector(
  scope: readonly string[],
  { title, speaker, body }: MemoryTerms,
  signs: TextSigns = { asks: 0, tellsTime: false },
): string {
  const positions = new Map<string, string[]>()
  let position = 0
  for (const [field, terms] of [
    ['title', title],
    ['body', body],
  ] as const) {
    for (const { term, kind } of terms) {
      position = Math.min(position + 1, LAST_POSITION)
      const label = field === 'body' && kind === 'character' ? '' : FIELD_LABELS[field]
      const known = positions.get(term)
      if (!known) positions.set(term, [`${position}${label}`])
      else if (known.length < MOST_POSITIONS) known.push(`${position}${label}`)
    }
  }
  const plain = new Set([...scope, ...speaker.map(({ term }) => speakerTerm(term))])
  if (signs.tellsTime) plain.add(TELLS_TIME)
  const terms = Array.from(positions, ([term, at]) => `${quote(term)}:${at.join(',')}`)
  // As many places as tenths of the text ask.
  const tenths = Array.from({ length: signs.asks }, (_, index) => index + 1)
  if (tenths.length > 0) terms.push(`${quote(ASKS)}:${tenths.join(',')}`)
  return [...Array.from(plain, quote), ...terms].join(' ')
}

/** A `tsquery` as text that matches any of the terms. */
export function anyTermQuery(terms: readonly string[]): string {
  return terms.map(quote).join(' | ')
}

/** What matches both, each a `tsquery` as text. */
export function bothQueries(one: string, other: string): string {
  return `( ${one} ) & ( ${other} )`
}

/** The wanted ones of the terms in a tsvector's text, each with its places. */
export type VectorTerms = ReadonlyMap<string, string>

/**
 * What `readVector` has to find so that it can be told of each of `terms` how often it occurs, and whether it names the speaker: each under what
 * the text has for it.
 */
export function wantedTerms(terms: readonly string[]): ReadonlyMap<string, string> {
  return new Map([ASKS, TELLS_TIME, ...terms, ...terms.map(speakerTerm)].map((term) => [quote(term), term]))
}

/** Reads a tsvector's text once: to look for each of many terms in each of many texts takes seconds. */
export function readVector(vector: string, wanted: ReadonlyMap<string, string>): VectorTerms {
  const terms = new Map<string, string>()
  let start = 0
  while (vector[start] === "'") {
    let end = vector.indexOf("'", start + 1) + 1
    // Two of them are one that is part of the term.
    while (end > 0 && vector[end] === "'") end = vector.indexOf("'", end + 1) + 1
    if (end === 0) break
    const space = vector.indexOf(' ', end)
    const next = space < 0 ? vector.length : space
    const term = wanted.get(vector.slice(start, end))
    if (term !== undefined) terms.set(term, vector.slice(end + 1, next))
    start = next + 1
  }
  return terms
}

/** How often `term` occurs, by field; undefined if it does not. */
export function countTerm(vector: VectorTerms, term: string): TermCount | undefined {
  const written = vector.get(term)
  if (!written) return undefined
  const each = written.split(',')
  const title = each.filter((place) => place.endsWith(FIELD_LABELS.title)).length
  return { title, body: each.length - title, places: each.map((place) => Number.parseInt(place, 10)) }
}

export function isSpokenBy(vector: VectorTerms, name: string): boolean {
  return vector.has(speakerTerm(name))
}

export function signsIn(vector: VectorTerms): TextSigns {
  return { asks: countTerm(vector, ASKS)?.places.length ?? 0, tellsTime: vector.has(TELLS_TIME) }
}

/** Terms of a tsvector's text that have a place with this label. */
export function labelledTerms(vector: string, label: 'A' | 'B'): string[] {
  const terms: string[] = []
  for (const [, quoted = '', places = ''] of vector.matchAll(/'((?:[^'\\]|''|\\\\)*)'(?::([\dABCD,]+))?/g)) {
    if (places.includes(label)) terms.push(quoted.replaceAll("''", "'").replaceAll('\\\\', '\\'))
  }
  return terms
}
