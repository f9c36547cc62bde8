import { estimateTokens } from '../../text/estimate-tokens.ts'
import { type Observation, priorities, renderLog } from './log.ts'

/** What is left when the least important go, the oldest of them first, until no more than so many tokens are left. Nothing is reworded. */
export function reflectByRules(observations: readonly Observation[], mostTokens: number): Observation[] {
  const sizes = new Map(observations.map((observation) => [observation, estimateTokens(renderLog([observation]))]))
  const dropped = new Set<Observation>()
  let tokens = sizes.values().reduce((sum, size) => sum + size, 0)
  for (const priority of priorities.toReversed()) {
    for (const observation of observations) {
      if (tokens <= mostTokens) break
      if (observation.priority !== priority) continue
      dropped.add(observation)
      tokens -= sizes.get(observation) ?? 0
    }
  }
  return observations.filter((observation) => !dropped.has(observation))
}
