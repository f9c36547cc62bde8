import { and, asc, eq, inArray, sql } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { attachments } from '../../db/schema/attachments.ts'
import { messages } from '../../db/schema/messages.ts'
import { sessions } from '../../db/schema/sessions.ts'
import type { Owner } from '../context.ts'

/** Frees the name of a memory's session, for the one that takes its place. */
export async function freeSessionName(tx: Database, owner: Owner, sessionId: string): Promise<void> {
  await tx
    .update(sessions)
    .set({ externalId: null })
    .where(and(eq(sessions.userId, owner.userId), eq(sessions.id, sessionId)))
}

/** The files of a session of one message, oldest first. */
export function selectFilesOf(tx: Database, owner: Owner, sessionId: string) {
  return tx
    .select({ id: attachments.id, kind: attachments.kind })
    .from(attachments)
    .innerJoin(messages, eq(messages.id, attachments.messageId))
    .where(and(eq(messages.userId, owner.userId), eq(messages.sessionId, sessionId), eq(attachments.state, 'stored')))
    .orderBy(asc(attachments.createdAt), asc(attachments.id))
}

/** Has files belong to another message. */
export async function moveFiles(
  tx: Database,
  owner: Owner,
  ids: readonly string[],
  to: { batchId: string; messageId: string },
): Promise<void> {
  await tx
    .update(attachments)
    .set({ ...to, updatedAt: sql`now()` })
    .where(and(eq(attachments.userId, owner.userId), inArray(attachments.id, [...ids])))
}
