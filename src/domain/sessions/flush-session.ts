import { inTransaction } from '../../db/database.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, type Context, nothingElse } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { createId } from '../ids.ts'
import { parseInput } from '../parse-input.ts'
import type { BatchAnswer } from '../relay/outcome.ts'
import { insertBatch } from '../relay/queries.ts'
import { relayOrDiscard } from '../relay/relay-or-discard.ts'
import { reopenBatches } from '../relay/reopen-batches.ts'
import { findScope, findSession, lockExistingSession, type SessionRow, setLastUpstreamTimestamp } from './queries.ts'
import { FlushSessionInput } from './schemas.ts'

/** Durable, and on its way to the backend. */
export interface StoredFlush {
  /** The `session_id` of the API. */
  readonly sessionId: string
  readonly session: SessionRow
  readonly batchId: string
}

/**
 * Has the backend extract what the session holds, after all messages that were added before; those that could not be relayed
 * are tried again first. The answer is undefined
 * if it has not done so in time: the flush is durable and goes on. `not_found` for a session that never got a message.
 */
export async function flushSession(
  ctx: Context,
  input: unknown,
  also: AlsoStore<StoredFlush> = nothingElse,
): Promise<{ sessionId: string; answer: BatchAnswer | undefined }> {
  const parsed = parseInput(FlushSessionInput, input)
  const { db, jobs } = ctx.services
  const scope = await findScope(db, ctx.caller, { appId: parsed.app_id, projectId: parsed.project_id })
  const session = scope && (await findSession(db, ctx.caller, scope.id, parsed.session_id))
  if (!session) throw unknownSession()
  const batchId = createId('bat')
  await inTransaction(db, async (tx) => {
    const locked = await lockExistingSession(tx, ctx.caller, session.id)
    if (!locked) throw unknownSession()
    const { lastUpstreamTimestamp } = await reopenBatches(tx, ctx.caller, locked, ['failed'])
    const position = lastUpstreamTimestamp + 1
    await insertBatch(tx, ctx.caller, { id: batchId, action: 'flush', state: 'stored', sessionId: locked.id, position })
    await setLastUpstreamTimestamp(tx, ctx.caller, locked.id, position)
    await jobs.enqueue(tx, { name: 'relay-session', sessionId: locked.id })
    await recordAudit(tx, ctx, { action: 'session.flush', target: locked.id })
    await also(tx, { sessionId: parsed.session_id, session: locked, batchId })
  })
  const answer = await relayOrDiscard(ctx, session, [batchId], ctx.services.relayWaitMs)
  return { sessionId: parsed.session_id, answer }
}

function unknownSession(): GatewayError {
  return new GatewayError('not_found', 'There is no such session. Add messages to it first.')
}
