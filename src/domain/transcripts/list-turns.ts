import type { UserContext } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { parseInput } from '../parse-input.ts'
import { measureTurns, selectTurns, type TurnRow } from './queries.ts'
import { ListTurnsInput } from './schemas.ts'

/** One answer is in memory as a whole. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024

/**
 * The turns of a session, oldest first, and how many it has. `payload_too_large` for more than 32 MiB: ask for fewer.
 */
export async function listTurns(
  ctx: UserContext,
  input: unknown,
): Promise<{ turns: readonly TurnRow[]; total: number }> {
  const selection = parseInput(ListTurnsInput, input)
  const { db } = ctx.services
  const { total, bytes } = await measureTurns(db, ctx.caller, selection)
  if (bytes > MAX_ANSWER_BYTES) {
    throw new GatewayError(
      'payload_too_large',
      'The session is too long for one answer. Ask for fewer turns by limit.',
      {
        details: { bytes, max_bytes: MAX_ANSWER_BYTES },
      },
    )
  }
  return { turns: await selectTurns(db, ctx.caller, selection), total }
}
