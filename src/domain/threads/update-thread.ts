import { inTransaction } from '../../db/database.ts'
import { recordAudit } from '../audit/record-audit.ts'
import { type AlsoStore, nothingElse } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { parseInput } from '../parse-input.ts'
import { unknownThread } from './open-thread.ts'
import { changeThread, lockThread } from './queries.ts'
import { UpdateThreadInput } from './schemas.ts'
import type { RealmContext, ThreadRow } from './thread-context.ts'

/** Of all metadata of a thread, as JSON: what a request may bring at once, it must not grow beyond with many. */
const MOST_METADATA = 1024 * 1024

function checkSize(metadata: Readonly<Record<string, unknown>>): void {
  if (JSON.stringify(metadata).length <= MOST_METADATA) return
  const message = `may have ${MOST_METADATA} characters at most, with what is there already.`
  throw new GatewayError('invalid_request', `metadata ${message}`, {
    details: { fields: [{ path: 'metadata', message }] },
  })
}

/** Changes what is given. Keys of `metadata` are put beside, or in place of, those that are there. `not_found` if the thread is gone, `invalid_request` for too much metadata. */
export function updateThread(
  ctx: RealmContext,
  thread: ThreadRow,
  input: UpdateThreadInput,
  also: AlsoStore<ThreadRow> = nothingElse,
): Promise<ThreadRow> {
  const { title, metadata } = parseInput(UpdateThreadInput, input)
  return inTransaction(ctx.services.db, async (tx) => {
    const found = await lockThread(tx, thread, thread.id)
    const all = metadata && { ...found?.metadata, ...metadata }
    if (all) checkSize(all)
    const changed =
      found &&
      (await changeThread(tx, thread, thread.id, {
        ...(title !== undefined && { title }),
        ...(all !== undefined && { metadata: all }),
      }))
    if (!changed) throw unknownThread()
    await recordAudit(tx, ctx, { action: 'thread.update', target: thread.id })
    await also(tx, changed)
    return changed
  })
}
