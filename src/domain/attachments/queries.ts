import { and, asc, eq, getTableColumns, inArray, isNull, min, ne, sql } from 'drizzle-orm'
import { type Database, preparedOn } from '../../db/database.ts'
import { attachments } from '../../db/schema/attachments.ts'
import { batches } from '../../db/schema/batches.ts'
import { messages } from '../../db/schema/messages.ts'
import { sessions } from '../../db/schema/sessions.ts'
import type { Owner } from '../context.ts'

export type AttachmentRow = typeof attachments.$inferSelect
export type NewAttachment = Omit<
  AttachmentRow,
  'messageId' | 'state' | 'erasureId' | 'createdAt' | 'updatedAt' | 'userId'
>

export async function insertReceiving(tx: Database, owner: Owner, rows: readonly NewAttachment[]): Promise<void> {
  await tx
    .insert(attachments)
    .values(rows.map((row) => ({ ...row, userId: owner.userId, state: 'receiving' as const })))
}

/** Files whose objects are there already; so are their messages. */
export async function insertStoredFiles(
  tx: Database,
  owner: Owner,
  rows: readonly (NewAttachment & { readonly messageId: string })[],
): Promise<void> {
  await tx.insert(attachments).values(rows.map((row) => ({ ...row, userId: owner.userId, state: 'stored' as const })))
}

/** Stored files of the user with one of these hashes: of each content one. */
export function selectStored(db: Database, owner: Owner, hashes: readonly string[]) {
  const { sha256, size, objectKey, uri } = attachments
  return db
    .selectDistinctOn([sha256, size], { sha256, size, objectKey, uri })
    .from(attachments)
    .where(
      and(
        eq(attachments.userId, owner.userId),
        sql`${sha256} = any(${textArray(hashes)}::text[])`,
        eq(attachments.state, 'stored'),
      ),
    )
    .orderBy(sha256, size)
}

/** Locks one stored file of each of these objects until the transaction ends. Resolves with how many objects have one. */
export async function lockOneOfEachObject(tx: Database, owner: Owner, objectKeys: readonly string[]): Promise<number> {
  const isStored = and(
    eq(attachments.userId, owner.userId),
    inArray(attachments.objectKey, [...objectKeys]),
    eq(attachments.state, 'stored'),
  )
  const first = tx
    .select({ id: min(attachments.id) })
    .from(attachments)
    .where(isStored)
    .groupBy(attachments.objectKey)
  const rows = await tx
    .select({ id: attachments.id })
    .from(attachments)
    .where(and(isStored, inArray(attachments.id, first)))
    .orderBy(asc(attachments.id))
    .for('share')
  return rows.length
}

/** Whether another file of the same user has the object of one that is being deleted. */
export async function isObjectShared(
  db: Database,
  { id, userId, objectKey }: Pick<AttachmentRow, 'id' | 'userId' | 'objectKey'>,
): Promise<boolean> {
  const rows = await db
    .select({ id: attachments.id })
    .from(attachments)
    .where(
      and(
        eq(attachments.userId, userId),
        eq(attachments.objectKey, objectKey),
        ne(attachments.id, id),
        ne(attachments.state, 'deleting'),
      ),
    )
    .limit(1)
  return rows.length > 0
}

/** Marks a stored object, and says which message it belongs to. */
export async function markStored(tx: Database, owner: Owner, id: string, messageId: string): Promise<boolean> {
  const rows = await tx
    .update(attachments)
    .set({ state: 'stored', messageId, updatedAt: sql`now()` })
    .where(and(eq(attachments.userId, owner.userId), eq(attachments.id, id), eq(attachments.state, 'receiving')))
    .returning({ id: attachments.id })
  return rows.length > 0
}

const attachmentById = preparedOn((db) =>
  db
    .select(getTableColumns(attachments))
    .from(attachments)
    .innerJoin(messages, eq(messages.id, attachments.messageId))
    .innerJoin(sessions, eq(sessions.id, messages.sessionId))
    .where(
      and(
        eq(attachments.userId, sql.placeholder('userId')),
        eq(attachments.id, sql.placeholder('id')),
        eq(attachments.state, 'stored'),
        isNull(sessions.deletedAt),
      ),
    )
    .prepare('attachment_by_id'),
)

export async function findAttachment(db: Database, owner: Owner, id: string): Promise<AttachmentRow | undefined> {
  const [row] = await attachmentById(db).execute({ userId: owner.userId, id })
  return row
}

const attachmentsByMessages = preparedOn((db) =>
  db
    .select()
    .from(attachments)
    .where(
      and(
        eq(attachments.userId, sql.placeholder('userId')),
        sql`${attachments.messageId} = any(${sql.placeholder('messageIds')}::text[])`,
        eq(attachments.state, 'stored'),
      ),
    )
    .prepare('attachments_by_messages'),
)

export function selectAttachmentsOf(
  db: Database,
  owner: Owner,
  messageIds: readonly string[],
): Promise<AttachmentRow[]> {
  if (messageIds.length === 0) return Promise.resolve([])
  return attachmentsByMessages(db).execute({ userId: owner.userId, messageIds: textArray(messageIds) })
}

/** Ids of ours as an array literal, which both drivers bind alike. */
export function textArray(ids: readonly string[]): string {
  return `{${ids.map((id) => `"${id.replaceAll(/["\\]/g, '\\$&')}"`).join(',')}}`
}

/** Cuts the attachments of batches loose, so that only their objects are left to delete: for an erasure, or the sweeper. */
export async function markDeleting(
  tx: Database,
  owner: Owner,
  batchIds: readonly string[],
  erasureId: string | null = null,
): Promise<AttachmentRow[]> {
  if (batchIds.length === 0) return []
  return tx
    .update(attachments)
    .set({ state: 'deleting', batchId: null, messageId: null, erasureId, updatedAt: sql`now()` })
    .where(and(eq(attachments.userId, owner.userId), inArray(attachments.batchId, [...batchIds])))
    .returning()
}

/** System scope: the row of an object that is gone. */
export async function deleteAttachmentRow(db: Database, id: string): Promise<void> {
  await db.delete(attachments).where(and(eq(attachments.id, id), eq(attachments.state, 'deleting')))
}

/** System scope: objects of any user that are to be deleted, those tried longest ago first. */
export function selectDeleting(db: Database, olderThanMs: number, limit: number): Promise<AttachmentRow[]> {
  return db
    .select()
    .from(attachments)
    .where(
      and(
        eq(attachments.state, 'deleting'),
        sql`${attachments.updatedAt} <= now() - ${olderThanMs} * interval '1 millisecond'`,
      ),
    )
    .orderBy(asc(attachments.updatedAt))
    .limit(limit)
}

/** System scope: puts an object that could not be deleted at the end of the line. */
export async function touchDeleting(db: Database, id: string): Promise<void> {
  await db.update(attachments).set({ updatedAt: sql`now()` }).where(eq(attachments.id, id))
}

/** System scope: batches that stopped while their files were being stored, longer ago than the grace time. */
export function selectAbandoned(
  db: Database,
  graceMs: number,
  limit: number,
): Promise<{ id: string; userId: string }[]> {
  return db
    .select({ id: batches.id, userId: batches.userId })
    .from(batches)
    .where(
      and(eq(batches.state, 'receiving'), sql`${batches.updatedAt} < now() - ${graceMs} * interval '1 millisecond'`),
    )
    .limit(limit)
}
