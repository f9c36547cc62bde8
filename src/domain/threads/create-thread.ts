import { randomUUID } from 'node:crypto'
import { inTransaction } from '../../db/database.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, nothingElse } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { createId } from '../ids.ts'
import { parseInput } from '../parse-input.ts'
import { insertThread } from './queries.ts'
import { CreateThreadInput } from './schemas.ts'
import type { ThreadContext, ThreadRow } from './thread-context.ts'

export function threadExists(): GatewayError {
  return new GatewayError('conflict', 'There is a thread of that id already. Choose another.')
}

/** Makes a thread of the resource's. Without an id it gets a UUID. `conflict` if the realm has one of that id, whosever it is. */
export function createThread(
  ctx: ThreadContext,
  input: CreateThreadInput,
  also: AlsoStore<ThreadRow> = nothingElse,
): Promise<ThreadRow> {
  const { id = randomUUID(), title, metadata } = parseInput(CreateThreadInput, input)
  return inTransaction(ctx.services.db, async (tx) => {
    const row = { id: createId('thr'), externalId: id, title: title ?? null, metadata: metadata ?? {} }
    const thread = await insertThread(tx, ctx, row)
    if (!thread) throw threadExists()
    await recordAudit(tx, ctx, { action: 'thread.create', target: thread.id })
    await also(tx, thread)
    return thread
  })
}
