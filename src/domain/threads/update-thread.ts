import { inTransaction } from '../../db/database.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, nothingElse } from '../context.ts'
import { parseInput } from '../parse-input.ts'
import { unknownThread } from './open-thread.ts'
import { changeThread, lockThread } from './queries.ts'
import { UpdateThreadInput } from './schemas.ts'
import type { RealmContext, ThreadRow } from './thread-context.ts'

/** Changes what is given. Keys of `metadata` are put beside, or in place of, those that are there. `not_found` if the thread is gone. */
export function updateThread(
  ctx: RealmContext,
  thread: ThreadRow,
  input: UpdateThreadInput,
  also: AlsoStore<ThreadRow> = nothingElse,
): Promise<ThreadRow> {
  const { title, metadata } = parseInput(UpdateThreadInput, input)
  return inTransaction(ctx.services.db, async (tx) => {
    const found = await lockThread(tx, thread, thread.id)
    const changed =
      found &&
      (await changeThread(tx, thread, thread.id, {
        ...(title !== undefined && { title }),
        ...(metadata !== undefined && { metadata: { ...found.metadata, ...metadata } }),
      }))
    if (!changed) throw unknownThread()
    await recordAudit(tx, ctx, { action: 'thread.update', target: thread.id })
    await also(tx, changed)
    return changed
  })
}
