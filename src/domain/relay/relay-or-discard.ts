import { timed } from '../../observability/timings.ts'
import type { Context } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { discardRejected } from '../sessions/discard-batch.ts'
import type { SessionRow } from '../sessions/queries.ts'
import type { BatchAnswer, BatchOutcome } from './outcome.ts'

/**
 * Relays what was stored, and waits `waitMs` at most for the backend's answer to the last batch; undefined if it has none by then: the
 * work goes on. What the backend refuses for good while its caller waits is removed again, and thrown.
 */
export async function relayOrDiscard(
  ctx: Context,
  session: Pick<SessionRow, 'id' | 'kind'>,
  batchIds: readonly string[],
  waitMs: number,
): Promise<BatchAnswer | undefined> {
  ctx.turn[Symbol.dispose]()
  const outcome = await timed('backend', () => ctx.services.relay.relayNow(session.id, batchIds, waitMs))
  if (outcome === 'queued') return undefined
  if (outcome.state === 'rejected' || outcome.state === 'failed') {
    await discardRejected(ctx, ctx.caller, session, batchIds)
    throw refusedByBackend(outcome)
  }
  return outcome.state === 'relayed' ? outcome.answer : undefined
}

function refusedByBackend(outcome: Extract<BatchOutcome, { state: 'rejected' | 'failed' }>): GatewayError {
  const details = { backend_code: outcome.code }
  if (outcome.state === 'failed') {
    return new GatewayError(
      'backend_failed',
      'The memory backend cannot take this until its operator changes something. Nothing was kept.',
      { details, cause: outcome.message },
    )
  }
  if (outcome.code === 'UNSUPPORTED_FORMAT') {
    return new GatewayError(
      'unsupported_media_type',
      'The memory backend does not support this kind of file. Nothing was kept.',
      { details },
    )
  }
  return new GatewayError('backend_rejected', `The memory backend refused the request: ${outcome.message}`, { details })
}
