import type { ObservationSettings } from '../../config/config.ts'
import type { BufferedChunk } from '../../db/schema/observation-records.ts'

/** Shares of the two thresholds, as Observational Memory is published. */
const BUFFER_SHARE = 0.2
/** What is left of the messages when observations take the place of the others. */
const KEPT_SHARE = 0.2
/** So far beyond the threshold more may be taken away than is to be kept. */
const OVERFULL = 1.2
const REFLECTION_BUFFER_SHARE = 0.5

/** How much of a thread nobody has observed yet. Tokens of messages. */
export interface Unobserved {
  /** Shown as they are: of all messages after those that the observations stand for. */
  readonly pending: number
  /** Of those of them that have no buffered observations either. */
  readonly unbuffered: number
}

export function isBufferingDue({ unbuffered }: Unobserved, { observeTokens }: ObservationSettings): boolean {
  return unbuffered >= Math.max(1, observeTokens * BUFFER_SHARE)
}

export function isActivationDue({ pending }: Unobserved, { observeTokens }: ObservationSettings): boolean {
  return pending >= observeTokens
}

/** The Observer has fallen behind: what is there of it takes effect before it goes on. */
export function isOverfull({ pending }: Unobserved, { observeTokens }: ObservationSettings): boolean {
  return pending >= observeTokens * OVERFULL
}

export function isReflectionDue(observationTokens: number, { reflectTokens }: ObservationSettings): boolean {
  return observationTokens > reflectTokens
}

/** From here on a reflection is prepared, to be at hand when it is due. */
export function isReflectionBufferingDue(observationTokens: number, { reflectTokens }: ObservationSettings): boolean {
  return observationTokens >= reflectTokens * REFLECTION_BUFFER_SHARE
}

/**
 * How many of the chunks are to take effect: as many as leave a fifth of the threshold in messages that are shown as they are, and at
 * least one. Of an overfull thread the fewest that leave no more than that.
 */
export function chunksToActivate(
  chunks: readonly BufferedChunk[],
  unobserved: Unobserved,
  settings: ObservationSettings,
): number {
  const kept = settings.observeTokens * KEPT_SHARE
  let left = unobserved.pending
  for (const [index, { messageTokens }] of chunks.entries()) {
    if (isOverfull(unobserved, settings)) {
      if (left <= kept) return Math.max(1, index)
    } else if (left - messageTokens < kept) return Math.max(1, index)
    left -= messageTokens
  }
  return chunks.length
}
