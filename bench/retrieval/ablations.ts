import { WEIGHTS, type Weights } from '../../src/adapters/memory-backend/embedded/retrieval/score.ts'

/** What ranking is without each of its parts. */
export const ABLATIONS: readonly { readonly without: string; readonly weights: Weights }[] = [
  { without: 'messages nearby', weights: { ...WEIGHTS, nearby: [] } },
  { without: 'those after', weights: { ...WEIGHTS, after: 0 } },
  { without: 'those more than one away', weights: { ...WEIGHTS, nearby: WEIGHTS.nearby.slice(0, 1) } },
  { without: 'more for what answers a question', weights: { ...WEIGHTS, answered: 1 } },
  { without: 'less for what only asks', weights: { ...WEIGHTS, asking: 1 } },
  { without: 'less for other speakers', weights: { ...WEIGHTS, otherSpeaker: 1 } },
  { without: 'less for names in texts', weights: { ...WEIGHTS, name: 1 } },
  { without: 'times asked for by "when"', weights: { ...WEIGHTS, timeless: 1 } },
  { without: 'times in the question', weights: { ...WEIGHTS, toldLater: 1, otherTime: 1 } },
  { without: 'pairs of words', weights: { ...WEIGHTS, pair: 0 } },
  {
    without: 'all of these (BM25 of its terms)',
    weights: {
      ...WEIGHTS,
      nearby: [],
      asking: 1,
      otherSpeaker: 1,
      name: 1,
      timeless: 1,
      toldLater: 1,
      otherTime: 1,
      pair: 0,
    },
  },
]
