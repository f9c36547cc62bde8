/** How many characters of a kind are about one token of today's models; each run of them is rounded up. */
const RUNS: readonly (readonly [characters: RegExp, perToken: number])[] = [
  [/\p{Script=Han}+|\p{Script=Hiragana}+|\p{Script=Katakana}+|\p{Script=Hangul}+/gu, 1],
  [/\p{Script=Latin}+/gu, 5],
  [/\p{N}+/gu, 3],
  // Other letters, with their marks; signs one by one; what is left are pictures, of two or three tokens each.
  [/[\p{L}\p{M}]+/gu, 2],
  [/[\p{P}\p{Sm}\p{Sc}\p{Sk}]|\n+/gu, 1],
  [/[^\s]/gu, 0.4],
]

/**
 * How many tokens a text has for a language model: an estimate by its characters, rather too high than too low. Each model counts in its
 * own way; none of them is asked.
 */
export function estimateTokens(text: string): number {
  let rest = text
  let tokens = 0
  for (const [characters, perToken] of RUNS) {
    rest = rest.replace(characters, (run) => {
      tokens += Math.ceil(run.length / perToken)
      return ' '
    })
  }
  return tokens
}
