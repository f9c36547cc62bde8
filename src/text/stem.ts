const DOUBLE = /([bdfgmnprt])\1$/
const VOWEL = /[aeiouy]/

function undouble(word: string): string {
  return DOUBLE.test(word) ? word.slice(0, -1) : word
}

function withoutPlural(word: string): string {
  if (word.endsWith('ies') && word.length > 4) return `${word.slice(0, -3)}y`
  if (/(?:ss|sh|ch|x|z)es$/.test(word)) return word.slice(0, -2)
  if (/[^siu]s$/.test(word)) return word.slice(0, -1)
  return word
}

function withoutTense(word: string): string {
  if (word.endsWith('ied') && word.length > 4) return `${word.slice(0, -3)}y`
  const ending = word.endsWith('ing') ? 3 : word.endsWith('ed') && !word.endsWith('eed') ? 2 : 0
  const rest = word.slice(0, word.length - ending)
  return ending > 0 && rest.length > 2 && VOWEL.test(rest) ? undouble(rest) : word
}

/**
 * Light English stem of a lower-case word: plural, `-ing`, `-ed`, the final `e`. It only has to be the same for the
 * forms of one word ("hike", "hiking", "hiked" → "hik"); words that are not plain a–z stay as they are.
 */
export function stem(word: string): string {
  if (word.length < 4 || !/^[a-z]+$/.test(word)) return word
  const base = withoutTense(withoutPlural(word))
  return base.length > 3 && base.endsWith('e') ? base.slice(0, -1) : base
}
