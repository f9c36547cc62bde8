const WHO = ['My sister', 'Our neighbour', 'The new team', 'My doctor', 'The landlord', 'Aunt Ingrid', 'The customer']
const DID = ['repaired', 'forgot', 'bought', 'painted', 'moved', 'ordered', 'sold', 'cancelled', 'praised']
const WHAT = [
  'the green bicycle',
  'the invoice',
  'a garden table',
  'the harbour tickets',
  'our budget',
  'the old piano',
]
const WHERE = ['in Bergen', 'in the cellar', 'at the office', 'by the river', 'in Lisbon', 'at the station', 'abroad']

/** No two are the same; some words are in many of them, and some in one alone. */
export function sentence(at: number): string {
  const pick = (words: readonly string[], step: number) => words[Math.floor(at / step) % words.length]
  return `${pick(WHO, 1)} ${pick(DID, 3)} ${pick(WHAT, 5)} ${pick(WHERE, 7)} on day ${at}, for ${at % 97} crowns, note n${at.toString(36)}.`
}
