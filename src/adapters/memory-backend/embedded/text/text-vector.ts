import { createHash } from 'node:crypto'
import type { Term } from '../../../../text/tokenise.ts'

/** Weight labels of PostgreSQL: where in a memory a term stands. `D`, a single Han character of the body, is not written. */
export const FIELD_LABELS = { title: 'A', speaker: 'B', body: 'C' } as const

export interface TermCount {
  readonly title: number
  readonly speaker: number
  readonly body: number
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

/** A `tsvector` as text, built here so that it is the same on every server, whatever its dictionaries and locale. */
export function textVector(
  partition: string,
  fields: Readonly<Record<keyof typeof FIELD_LABELS, readonly Term[]>>,
): string {
  const positions = new Map<string, string[]>()
  let position = 0
  for (const field of ['title', 'speaker', 'body'] as const) {
    for (const { term, kind } of fields[field]) {
      position = Math.min(position + 1, LAST_POSITION)
      const label = field === 'body' && kind === 'character' ? '' : FIELD_LABELS[field]
      const known = positions.get(term)
      if (!known) positions.set(term, [`${position}${label}`])
      else if (known.length < MOST_POSITIONS) known.push(`${position}${label}`)
    }
  }
  const terms = Array.from(positions, ([term, at]) => `${quote(term)}:${at.join(',')}`)
  return [quote(partition), ...terms].join(' ')
}

/** A `tsquery` as text that matches any of the terms. */
export function anyTermQuery(terms: readonly Term[]): string {
  return terms.map(({ term }) => quote(term)).join(' | ')
}

/** The same, within one partition. */
export function partitionQuery(partition: string, terms: readonly Term[]): string {
  return `${quote(partition)} & ( ${anyTermQuery(terms)} )`
}

/** How often `term` occurs in a tsvector's text, by field; undefined if it does not. */
export function countTerm(vector: string, term: string): TermCount | undefined {
  const needle = `${quote(term)}:`
  let start = vector.indexOf(needle)
  while (start > 0 && vector[start - 1] !== ' ') start = vector.indexOf(needle, start + 1)
  if (start < 0) return undefined
  const end = vector.indexOf(' ', start + needle.length)
  const places = vector.slice(start + needle.length, end < 0 ? undefined : end)
  const count = { title: 0, speaker: 0, body: 0 }
  for (const place of places.split(',')) {
    if (place.endsWith('A')) count.title++
    else if (place.endsWith('B')) count.speaker++
    else count.body++
  }
  return count
}
