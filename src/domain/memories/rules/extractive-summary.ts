import { documentTerms } from '../../../text/tokenise.ts'
import { isSentenceWorthKeeping } from '../worth-keeping.ts'
import { clausesOf, sentencesOf } from './sentences.ts'

const MOST_SENTENCES = 500
const MOST_KEY_POINTS = 5
const LONGEST_KEY_POINT = 200
/** Two sentences that share more of their words say the same. */
const SAME = 0.8
/** How much more the first sentence of a text counts than its last. */
const FIRST = 0.25
/** Of the best one's worth. */
const GAP_FILLER = 0.5

interface Ranked {
  readonly sentence: string
  readonly words: ReadonlySet<string>
  readonly position: number
  readonly worth: number
}

/**
 * The sentences that share most words with the rest, in their order and in their own words, in `maxLength` characters together; first
 * sentences count a little more. The same texts give the same summary.
 */
export function summarizeByRules(
  texts: readonly string[],
  maxLength: number,
): { summary: string; keyPoints: string[] } {
  const ranked = rank(texts)
  const chosen = choose(ranked, maxLength)
  const [best] = ranked
  const summary = chosen.length > 0 ? join(chosen) : cut(best?.sentence ?? '', maxLength)
  const points = rankClauses(ranked).slice(0, MOST_KEY_POINTS)
  return { summary, keyPoints: inOrder(points).map(({ sentence }) => sentence) }
}

/** Best first; of sentences that say the same, the first. */
function rank(texts: readonly string[]): Ranked[] {
  const sentences = texts.flatMap((text) => {
    const all = sentencesOf(text)
    const stated = all.filter(isSentenceWorthKeeping)
    return (stated.length > 0 ? stated : all).map((sentence, index, { length }) => ({
      sentence,
      words: wordsOf(sentence),
      lead: 1 + FIRST * (1 - index / length),
    }))
  })
  const read = sentences.slice(0, MOST_SENTENCES)
  const counts = new Map<string, number>()
  for (const { words } of read) for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  const worthOf = (words: ReadonlySet<string>) =>
    [...words].reduce((total, word) => total + (counts.get(word) ?? 0), 0) / Math.sqrt(Math.max(1, words.size))
  const ranked = read
    .map(({ sentence, words, lead }, position) => ({ sentence, words, position, worth: worthOf(words) * lead }))
    .toSorted(byWorth)
  return withoutRepeats(ranked)
}

function withoutRepeats(ranked: readonly Ranked[]): Ranked[] {
  const kept: Ranked[] = []
  for (const one of ranked) {
    const at = kept.findIndex((other) => likeness(one.words, other.words) > SAME)
    const same = kept[at]
    if (!same) kept.push(one)
    else if (one.position < same.position) kept[at] = { ...one, worth: same.worth }
  }
  return kept
}

function likeness(one: ReadonlySet<string>, other: ReadonlySet<string>): number {
  const shared = [...one].filter((word) => other.has(word)).length
  return one.size === 0 || other.size === 0 ? 0 : shared / Math.sqrt(one.size * other.size)
}

function choose(ranked: readonly Ranked[], maxLength: number): Ranked[] {
  const chosen: Ranked[] = []
  const best = ranked[0]?.worth ?? 0
  let left = maxLength
  let isFull = false
  for (const one of ranked) {
    // With the full stop and the space that `join` may add.
    const needed = one.sentence.length + 2
    if (needed > left) isFull = true
    // A gap is no reason to say what has little to do with the rest.
    if (needed > left || (isFull && one.worth < GAP_FILLER * best)) continue
    chosen.push(one)
    left -= needed
  }
  return inOrder(chosen)
}

function rankClauses(ranked: readonly Ranked[]): Ranked[] {
  return ranked.flatMap((one) =>
    clausesOf(one.sentence, LONGEST_KEY_POINT)
      .filter((clause) => clause.length <= LONGEST_KEY_POINT)
      .map((sentence) => ({ ...one, sentence })),
  )
}

function inOrder(ranked: readonly Ranked[]): Ranked[] {
  return ranked.toSorted((one, other) => one.position - other.position)
}

function byWorth(one: Ranked, other: Ranked): number {
  return other.worth - one.worth || one.position - other.position
}

function wordsOf(sentence: string): ReadonlySet<string> {
  return new Set(documentTerms(sentence).flatMap(({ term, kind }) => (kind === 'word' ? [term] : [])))
}

function join(sentences: readonly Ranked[]): string {
  return sentences
    .map(({ sentence }) => {
      const ended = /[.!?…。！？]["'”’」』)）]*$/.test(sentence) ? sentence : `${sentence}${stopAfter(sentence)}`
      return /[。！？」』）]$/.test(ended) ? ended : `${ended} `
    })
    .join('')
    .trim()
}

function stopAfter(sentence: string): string {
  return /\p{Script=Han}$/u.test(sentence) ? '。' : '.'
}

function cut(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text
  return maxLength < 1 ? '' : `${text.slice(0, maxLength - 1).replace(/[\ud800-\udbff]$/, '')}…`
}
