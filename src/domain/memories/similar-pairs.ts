/** What is compared: the distinct words of a text. */
export interface WordSet {
  readonly id: string
  readonly words: readonly string[]
}

export interface SimilarPair {
  readonly one: string
  readonly other: string
  /** Cosine of the two sets of words, as in a search: 0..1. */
  readonly similarity: number
}

/** A word that more of the texts have than this says nothing of what they are about, and brings no two of them together. */
const MOST_SHARING = 400
/** So many comparisons, then others may have the process. */
const COMPARED_AT_ONCE = 20_000

/**
 * All pairs that are at least so similar. Only texts are compared that share one of their rarer words: two sets that are similar enough
 * cannot do without (but for words that more than `MOST_SHARING` texts have).
 */
export async function similarPairs(
  sets: readonly WordSet[],
  atLeast: number,
  signal?: AbortSignal,
): Promise<SimilarPair[]> {
  const sharing = countSharing(sets)
  const seen = new Map<string, number[]>()
  const ordered = sets.map(({ words }) =>
    words.toSorted((one, other) => (sharing.get(one) ?? 0) - (sharing.get(other) ?? 0) || (one < other ? -1 : 1)),
  )
  const asSets = sets.map(({ words }) => new Set(words))
  const pairs: SimilarPair[] = []
  let compared = 0
  for (const [index, words] of ordered.entries()) {
    const prefix = words.slice(0, prefixLength(words.length, atLeast)).filter((word) => isTelling(word, sharing))
    const candidates = new Set(prefix.flatMap((word) => seen.get(word) ?? []))
    for (const candidate of candidates) {
      const pair = compare(sets, asSets, [candidate, index])
      if (pair && pair.similarity >= atLeast) pairs.push(pair)
    }
    for (const word of prefix) {
      const holders = seen.get(word)
      if (holders) holders.push(index)
      else seen.set(word, [index])
    }
    compared += candidates.size + words.length
    if (compared >= COMPARED_AT_ONCE) {
      compared = 0
      signal?.throwIfAborted()
      await new Promise(setImmediate)
    }
  }
  return pairs
}

function countSharing(sets: readonly WordSet[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { words } of sets) for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  return counts
}

function isTelling(word: string, sharing: ReadonlyMap<string, number>): boolean {
  return (sharing.get(word) ?? 0) <= MOST_SHARING
}

/**
 * Two sets of n and m words with a cosine of t share at least t²·n of the n: so one of any n − ⌈t²·n⌉ + 1 of them is shared. With both
 * in the order of one ranking, the first that they share is in both prefixes.
 */
function prefixLength(size: number, atLeast: number): number {
  return size - Math.max(1, Math.ceil(atLeast * atLeast * size - 1e-9)) + 1
}

function compare(
  sets: readonly WordSet[],
  asSets: readonly ReadonlySet<string>[],
  [first, second]: [number, number],
): SimilarPair | undefined {
  const [one, other, wordsOfOther] = [sets[first], sets[second], asSets[second]]
  if (!one || !other || !wordsOfOther) return undefined
  const shared = one.words.filter((word) => wordsOfOther.has(word)).length
  const similarity = Math.min(1, shared / Math.sqrt(Math.max(1, one.words.length) * Math.max(1, other.words.length)))
  return { one: one.id, other: other.id, similarity }
}
