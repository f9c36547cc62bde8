import { documentTerms } from '../../src/text/tokenise.ts'
import type { Conversation } from './conversations.ts'

const K1 = 1.2
const B = 0.75

export const PLAIN_BM25 = `BM25 over the texts of turns (k1 ${K1}, b ${B}); plain: lower-cased runs of letters and digits, not stemmed, no stop words`

/** Texts into words. */
export type Tokens = (text: string) => readonly string[]

export const plainTokens: Tokens = (text) => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []
/** As the engine does it. */
export const engineTokens: Tokens = (text) => documentTerms(text).map(({ term }) => term)

/** Returns what ranks a conversation's turns for a question: ids, best first, only those that share a word with it. */
export function plainBm25({ turns }: Conversation, tokens: Tokens): (question: string) => string[] {
  const texts = turns.map(({ text }) => tokens(text))
  const usual = texts.reduce((sum, { length }) => sum + length, 0) / texts.length
  const counts = texts.map((words) => {
    const count = new Map<string, number>()
    for (const word of words) count.set(word, (count.get(word) ?? 0) + 1)
    return count
  })
  const holders = new Map<string, number>()
  for (const count of counts) for (const word of count.keys()) holders.set(word, (holders.get(word) ?? 0) + 1)
  const score = (index: number, words: readonly string[]) =>
    words.reduce((sum, word) => {
      const frequency = counts[index]?.get(word) ?? 0
      const held = holders.get(word) ?? 0
      const rarity = Math.log(1 + (turns.length - held + 0.5) / (held + 0.5))
      const length = (texts[index]?.length ?? 0) / usual
      return sum + (rarity * frequency * (K1 + 1)) / (frequency + K1 * (1 - B + B * length))
    }, 0)
  return (question) => {
    const words = tokens(question)
    return turns
      .map(({ id }, index) => ({ id, index, score: score(index, words) }))
      .filter(({ score }) => score > 0)
      .sort((a, b) => b.score - a.score || a.index - b.index)
      .map(({ id }) => id)
  }
}
