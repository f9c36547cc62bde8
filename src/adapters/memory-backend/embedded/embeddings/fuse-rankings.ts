import type { RankedMemory } from '../retrieval/score.ts'
import type { Near } from './nearest-queries.ts'

/** Of reciprocal rank fusion (Cormack, Clarke, Büttcher, SIGIR 2009): how soon a lower rank stops to matter. */
const RANK_OFFSET = 10
/** Words are surer than meaning where both speak. */
const WORDS_SHARE = 0.8

/** The share of the best possible that the ranks in both lists make, 0..1. */
function rankShare(wordsRank: number | undefined, meaningRank: number | undefined): number {
  const of = (rank: number | undefined) => (rank === undefined ? 0 : (RANK_OFFSET + 1) / (RANK_OFFSET + rank))
  return WORDS_SHARE * of(wordsRank) + (1 - WORDS_SHARE) * of(meaningRank)
}

/**
 * One ranking of two: by words, and by meaning. The score is the share of the ranks times what the two say for the memory itself, so that the first of
 * many that do not fit has a low one. `background` is the similarity that texts have which have nothing in common.
 */
export function fuseRankings(
  lexical: readonly RankedMemory[],
  near: readonly Near[],
  background: number,
): RankedMemory[] {
  const fused = new Map<string, { words?: RankedMemory; wordsRank?: number; near?: Near; meaningRank?: number }>()
  for (const [index, words] of lexical.entries()) fused.set(words.id, { words, wordsRank: index + 1 })
  for (const [index, memory] of near.entries())
    fused.set(memory.id, { ...fused.get(memory.id), near: memory, meaningRank: index + 1 })
  const ranked = Array.from(fused, ([id, { words, wordsRank, near: found, meaningRank }]) => {
    const meaning = found ? Math.min(1, Math.max(0, (found.similarity - background) / (1 - background))) : 0
    const ranks = rankShare(wordsRank, meaning > 0 ? meaningRank : undefined)
    const parts = {
      ...words?.parts,
      ...(wordsRank !== undefined && { lexical_score: words?.score ?? 0, lexical_rank: wordsRank }),
      ...(found && meaningRank !== undefined && { similarity: found.similarity, meaning, vector_rank: meaningRank }),
      ranks,
    }
    return { id, score: ranks * (WORDS_SHARE * (words?.score ?? 0) + (1 - WORDS_SHARE) * meaning), parts }
  })
  return ranked.filter(({ score }) => score > 0).sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1))
}
