import { createHash } from 'node:crypto'
import { z } from 'zod'
import { type AlsoStore, nothingElse, type UserContext } from '../context.ts'
import { extractFacts, storeFacts } from '../memories/extract-facts.ts'
import { MAX_CONTENT } from '../memories/schemas.ts'
import { parseInput } from '../parse-input.ts'
import { cleanText, opaqueObject } from '../text-schemas.ts'
import { sessionLabel, sourceLabel, turnRole } from './schemas.ts'
import { markSeen, wasSeen } from './seen-turn-queries.ts'

export const HeardTurn = z.strictObject({
  role: turnRole,
  text: cleanText(MAX_CONTENT).refine((value) => value.trim() !== '', 'must not be empty'),
  source: sourceLabel,
  /** With the time it was said and the text, by which a turn is known when it is sent again. */
  speaker: cleanText(256).optional(),
  occurredAt: cleanText(64).optional(),
  sessionId: sessionLabel.optional(),
  metadata: opaqueObject.optional(),
})

/**
 * What became of a turn.
 * - `learned`: it was searched for facts; those that the user did not have are memories now.
 * - `not_user`: somebody else said it.
 * - `low_value`: it says nothing that is worth to be remembered.
 * - `replay`: it was learned from in the last 30 days.
 */
export type TurnOutcome = 'learned' | 'not_user' | 'low_value' | 'replay'

/** It was learned from while this request was at it. */
class SeenMeanwhile extends Error {}

/** Draws memories from what a user said. The turn itself is not kept, but a hash of it. */
export async function learnFromTurn(
  ctx: UserContext,
  input: unknown,
  also: AlsoStore<TurnOutcome> = nothingElse,
): Promise<TurnOutcome> {
  const turn = parseInput(HeardTurn, input)
  if (turn.role !== 'user') return 'not_user'
  const { speaker, occurredAt, text } = turn
  const fingerprint = createHash('sha256')
    .update(JSON.stringify([speaker ?? null, occurredAt ?? null, text]))
    .digest('base64url')
  if (await wasSeen(ctx.services.db, ctx.caller, fingerprint)) return 'replay'
  const facts = await extractFacts(ctx, [{ role: 'user', content: text }], turn)
  if (facts.length === 0) return 'low_value'
  try {
    return await storeFacts(ctx, facts, async (tx) => {
      if (!(await markSeen(tx, ctx.caller, fingerprint))) throw new SeenMeanwhile()
      await also(tx, 'learned')
      return 'learned' as const
    })
  } catch (error) {
    if (error instanceof SeenMeanwhile) return 'replay'
    throw error
  }
}
