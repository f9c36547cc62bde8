import { and, eq, getTableColumns, sql } from 'drizzle-orm'
import { type Database, preparedOn } from '../../db/database.ts'
import { attachments } from '../../db/schema/attachments.ts'
import { messages } from '../../db/schema/messages.ts'
import type { AttachmentRow } from '../attachments/queries.ts'
import type { Owner } from '../context.ts'

const fileOfSession = preparedOn((db) =>
  db
    .select(getTableColumns(attachments))
    .from(attachments)
    .innerJoin(messages, and(eq(messages.userId, attachments.userId), eq(messages.id, attachments.messageId)))
    .where(
      and(
        eq(attachments.userId, sql.placeholder('userId')),
        eq(attachments.id, sql.placeholder('id')),
        eq(attachments.state, 'stored'),
        eq(messages.sessionId, sql.placeholder('sessionId')),
      ),
    )
    .prepare('file_of_session'),
)

/** A stored file of a message of the session. */
export async function findFileOfSession(
  db: Database,
  { userId }: Owner,
  sessionId: string,
  id: string,
): Promise<AttachmentRow | undefined> {
  const [row] = await fileOfSession(db).execute({ userId, sessionId, id })
  return row
}
