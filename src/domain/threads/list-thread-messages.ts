import { type AttachmentRow, selectAttachmentsOf } from '../attachments/queries.ts'
import type { MessageRow } from '../sessions/queries.ts'
import { selectThreadMessages } from './queries.ts'
import type { ThreadPage } from './schemas.ts'
import type { RealmContext, ThreadRow } from './thread-context.ts'

export interface ThreadMessages {
  readonly messages: readonly MessageRow[]
  /** Of these messages, by our id of each. */
  readonly attachments: ReadonlyMap<string, AttachmentRow>
  /** Of the whole thread. */
  readonly total: number
}

/** A page of a thread's messages with their files, the oldest or the newest first. */
export async function listThreadMessages(
  ctx: RealmContext,
  thread: ThreadRow,
  page: ThreadPage & { readonly order: 'asc' | 'desc' },
): Promise<ThreadMessages> {
  const { db } = ctx.services
  if (thread.sessionId === null) return { messages: [], attachments: new Map(), total: 0 }
  const { messages, total } = await selectThreadMessages(db, thread, thread.sessionId, page)
  const files = await selectAttachmentsOf(
    db,
    thread,
    messages.map(({ id }) => id),
  )
  return { messages, attachments: new Map(files.map((file) => [file.id, file])), total }
}
