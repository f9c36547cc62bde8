import type { AttachmentRow } from '../attachments/queries.ts'
import { GatewayError } from '../errors.ts'
import { isCleanText } from '../text-schemas.ts'
import { findFileOfSession } from './file-queries.ts'
import type { RealmContext, ThreadRow } from './thread-context.ts'

/** A file of one of a thread's messages. `not_found` if it has no such file, whosever it is. */
export async function findThreadFile(ctx: RealmContext, thread: ThreadRow, fileId: string): Promise<AttachmentRow> {
  const { sessionId } = thread
  const file =
    sessionId !== null && isCleanText(fileId)
      ? await findFileOfSession(ctx.services.db, thread, sessionId, fileId)
      : undefined
  if (!file) throw new GatewayError('not_found', 'The thread has no such file.')
  return file
}
