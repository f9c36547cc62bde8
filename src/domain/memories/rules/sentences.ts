/** What is read of one text; rules of words say little about the rest of a longer one. */
export const LONGEST_READ = 20_000

const SEGMENTS = new Intl.Segmenter('en', { granularity: 'sentence' })
/** A full stop after these ends no sentence. */
const ABBREVIATION =
  /(?:^|[\s(])(?:Dr|Mr|Mrs|Ms|Prof|St|Jr|Sr|No|vs|approx|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec|e\.g|i\.e)\.\s*$/i
const BULLET = /^\s*(?:[-*•·–—]|\d{1,3}[.)、])\s+/

/** The sentences of a text, trimmed, in their order; each line is at least one, without its bullet. */
export function sentencesOf(text: string): string[] {
  return text.slice(0, LONGEST_READ).toWellFormed().split(/\n+/).flatMap(sentencesOfLine)
}

function sentencesOfLine(line: string): string[] {
  const sentences: string[] = []
  let begun = ''
  for (const { segment } of SEGMENTS.segment(line.replace(BULLET, ''))) {
    begun += segment
    if (ABBREVIATION.test(begun)) continue
    sentences.push(begun.trim())
    begun = ''
  }
  return [...sentences, begun.trim()].filter((sentence) => sentence !== '')
}

const WIDE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/gu

/** How much a text says, about, in Latin letters: a character of Chinese, Japanese or Korean says as much as two or three of them. */
export function lengthOf(text: string): number {
  return text.length + 1.5 * (text.match(WIDE)?.length ?? 0)
}

/** The sentence, or its clauses where it is longer than `limit` characters. */
export function clausesOf(sentence: string, limit: number): string[] {
  if (sentence.length <= limit) return [sentence]
  const clauses = sentence.split(/(?<=[;；,，:：])\s*|\s+(?=(?:and|but|because|so|while|although)\s)/)
  return clauses.map((clause) => clause.trim()).filter((clause) => clause !== '')
}
