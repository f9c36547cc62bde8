import { GatewayError } from '../errors.ts'
import { createId } from '../ids.ts'
import { parseInput } from '../parse-input.ts'
import { threadId as threadIdSchema } from '../text-schemas.ts'
import { findThreadRow, insertThread } from './queries.ts'
import type { RealmContext, ThreadContext, ThreadRow } from './thread-context.ts'

export function unknownThread(): GatewayError {
  return new GatewayError('not_found', 'There is no such thread.')
}

/** The resource's thread of that name, made at first use. `not_found` if it is another resource's of the realm. */
export async function openThread(ctx: ThreadContext, threadId: string): Promise<ThreadRow> {
  const { db } = ctx.services
  const externalId = parseInput(threadIdSchema, threadId)
  const thread =
    (await findThreadRow(db, ctx.realm, externalId)) ??
    (await insertThread(db, ctx, { id: createId('thr'), externalId })) ??
    // Another request made it meanwhile.
    (await findThreadRow(db, ctx.realm, externalId))
  if (thread?.userId !== ctx.caller.userId) throw unknownThread()
  return thread
}

/** A thread that is there already, of any resource of the realm or (`userId`) of this one. `not_found` otherwise. */
export async function findThread(ctx: RealmContext, threadId: string, userId?: string): Promise<ThreadRow> {
  const thread = await findThreadRow(ctx.services.db, ctx.realm, threadId)
  if (!thread || (userId !== undefined && thread.userId !== userId)) throw unknownThread()
  return thread
}
