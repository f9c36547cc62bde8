import type { Term } from '../../../../text/tokenise.ts'

/** Matches among which PostgreSQL chooses the candidates, as far as rarer terms leave the choice; counting further says nothing. */
export const MOST_MATCHES = 1_000

export interface HeldTerm {
  readonly term: Term
  /** How many memories hold it. */
  readonly held: number
}

/**
 * The terms to look for: the rarest words, as long as they do not match too much; single characters, which are in
 * nearly everything, only where words find too little. The others still count for the rank of what is found.
 */
export function chooseTerms(terms: readonly HeldTerm[], wanted: number): HeldTerm[] {
  const order = terms
    .filter(({ held }) => held > 0)
    .sort((a, b) => Number(a.term.kind === 'character') - Number(b.term.kind === 'character') || a.held - b.held)
  const chosen: HeldTerm[] = []
  let matches = 0
  for (const each of order) {
    if (matches >= wanted && (each.term.kind === 'character' || matches + each.held > MOST_MATCHES)) continue
    chosen.push(each)
    matches += each.held
  }
  return chosen
}
