import { and, asc, eq, gt, inArray, isNull, lte, max, min, or, sql } from 'drizzle-orm'
import { type Database, preparedOn } from '../../db/database.ts'
import { attachments } from '../../db/schema/attachments.ts'
import { type BatchState, batches } from '../../db/schema/batches.ts'
import { extractions } from '../../db/schema/extractions.ts'
import { messages } from '../../db/schema/messages.ts'
import { sessions } from '../../db/schema/sessions.ts'
import type { Owner } from '../context.ts'
import { idUnlessErased } from '../users/queries.ts'
import { type ClaimedSession, OPEN_STATES } from './lease-queries.ts'

export type BatchRow = typeof batches.$inferSelect

const insertStatement = preparedOn((db) =>
  db
    .insert(batches)
    .values({
      id: sql.placeholder('id'),
      userId: idUnlessErased({ userId: sql.placeholder('userId') }),
      sessionId: sql.placeholder('sessionId'),
      action: sql.placeholder('action'),
      state: sql.placeholder('state'),
      position: sql.placeholder('position'),
    })
    .prepare('insert_batch'),
)

export async function insertBatch(
  tx: Database,
  owner: Owner,
  batch: Pick<BatchRow, 'id' | 'action' | 'state'> & Partial<Pick<BatchRow, 'sessionId' | 'position'>>,
): Promise<void> {
  await insertStatement(tx).execute({ sessionId: null, position: null, ...batch, userId: owner.userId })
}

/** False if the sweeper took the batch for abandoned and removed it. */
export async function storeReceivedBatch(
  tx: Database,
  owner: Owner,
  batch: { id: string; sessionId: string; position: number },
): Promise<boolean> {
  const rows = await tx
    .update(batches)
    .set({ sessionId: batch.sessionId, position: batch.position, state: 'stored', updatedAt: sql`now()` })
    .where(and(eq(batches.userId, owner.userId), eq(batches.id, batch.id), eq(batches.state, 'receiving')))
    .returning({ id: batches.id })
  return rows.length > 0
}

/** Locks the batch if it is in one of the states. */
export async function lockBatch(
  tx: Database,
  owner: Owner,
  batchId: string,
  states: readonly BatchState[],
): Promise<BatchRow | undefined> {
  const [row] = await tx
    .select()
    .from(batches)
    .where(and(eq(batches.userId, owner.userId), eq(batches.id, batchId), inArray(batches.state, [...states])))
    .for('update')
  return row
}

/** A session's batches in these states in their order, each with the upstream timestamp of its first message. */
export function selectEndedBatches(
  tx: Database,
  owner: Owner,
  sessionId: string,
  states: readonly ('rejected' | 'failed')[],
) {
  return tx
    .select({ batch: batches, firstTimestamp: min(messages.upstreamTimestamp) })
    .from(batches)
    .leftJoin(messages, eq(messages.batchId, batches.id))
    .where(and(eq(batches.userId, owner.userId), eq(batches.sessionId, sessionId), inArray(batches.state, [...states])))
    .groupBy(batches.id)
    .orderBy(asc(batches.position))
}

/** Position of the last batch of the session that the backend took; 0 if there is none. */
export async function findLastRelayed(tx: Database, owner: Owner, sessionId: string): Promise<number> {
  const [row] = await tx
    .select({ position: max(batches.position) })
    .from(batches)
    .where(and(eq(batches.userId, owner.userId), eq(batches.sessionId, sessionId), eq(batches.state, 'relayed')))
  return row?.position ?? 0
}

/** Puts a batch in line anew. */
export async function reopenBatch(
  tx: Database,
  owner: Owner,
  batchId: string,
  change: { state: 'stored' | 'unknown'; position: number; attempts: number },
): Promise<void> {
  await tx
    .update(batches)
    .set({ ...change, openSince: sql`now()`, updatedAt: sql`now()` })
    .where(and(eq(batches.userId, owner.userId), eq(batches.id, batchId)))
}

/** System scope: all that follows belongs to the relay, which works for every user. */
/** An open batch, and what the database's clock says of it: replicas' clocks may differ. */
export interface OpenBatch {
  readonly batch: BatchRow
  /** The backend may still be at work on an earlier attempt. */
  readonly isUnsettled: boolean
  /** It has waited for longer than anything may. */
  readonly isTooOld: boolean
}

const nextOpenBatch = preparedOn((db) =>
  db
    .select({
      batch: batches,
      isUnsettled: sql<boolean>`coalesce(${batches.settlesAt} > now(), false)`,
      isTooOld: sql<boolean>`${batches.openSince} < now() - ${sql.placeholder('giveUpMs')}::float8 * interval '1 millisecond'`,
    })
    .from(batches)
    .where(and(eq(batches.sessionId, sql.placeholder('sessionId')), inArray(batches.state, OPEN_STATES)))
    .orderBy(asc(batches.position))
    .limit(1)
    .prepare('next_open_batch'),
)

export async function findNextBatch(db: Database, sessionId: string, giveUpMs: number): Promise<OpenBatch | undefined> {
  const [row] = await nextOpenBatch(db).execute({ sessionId, giveUpMs })
  return row
}

export async function insertExtraction(
  tx: Database,
  session: Pick<ClaimedSession, 'id' | 'userId'>,
  extraction: { id: string; throughTimestamp: number },
): Promise<void> {
  const [before] = await tx
    .select({ through: sessions.extractedThrough })
    .from(sessions)
    .where(and(eq(sessions.userId, session.userId), eq(sessions.id, session.id)))
  if (!before || before.through >= extraction.throughTimestamp) return
  await tx
    .insert(extractions)
    .values({ ...extraction, userId: session.userId, sessionId: session.id, afterTimestamp: before.through })
  await tx.update(sessions).set({ extractedThrough: extraction.throughTimestamp }).where(eq(sessions.id, session.id))
}

const messagesOfBatch = preparedOn((db) =>
  db
    .select()
    .from(messages)
    .where(eq(messages.batchId, sql.placeholder('batchId')))
    .orderBy(asc(messages.position))
    .prepare('messages_of_batch'),
)

/** A batch's messages in order, and their files. */
export async function selectBatchContent(db: Database, batchId: string) {
  const rows = await messagesOfBatch(db).execute({ batchId })
  const hasFiles = rows.some(({ content }) => content.some((item) => 'attachment_id' in item))
  const files = hasFiles ? await db.select().from(attachments).where(eq(attachments.batchId, batchId)) : []
  return { messages: rows, attachments: new Map(files.map((file) => [file.id, file])) }
}

/** Gives the session's later open batches the state of one that they depend on. */
export async function closeFollowing(
  tx: Database,
  batch: Pick<BatchRow, 'position'>,
  sessionId: string,
  change: { state: 'rejected' | 'failed'; reason: string },
): Promise<void> {
  await tx
    .update(batches)
    .set({ ...change, updatedAt: sql`now()` })
    .where(
      and(
        eq(batches.sessionId, sessionId),
        inArray(batches.state, OPEN_STATES),
        gt(batches.position, batch.position ?? 0),
      ),
    )
}

export async function isAnyOpen(tx: Database, sessionId: string): Promise<boolean> {
  const rows = await tx
    .select({ id: batches.id })
    .from(batches)
    .where(and(eq(batches.sessionId, sessionId), inArray(batches.state, OPEN_STATES)))
    .limit(1)
  return rows.length > 0
}

/** Whether anything of the session was ever extracted. */
export async function isExtracted(tx: Database, sessionId: string): Promise<boolean> {
  const rows = await tx
    .select({ id: extractions.id })
    .from(extractions)
    .where(eq(extractions.sessionId, sessionId))
    .limit(1)
  return rows.length > 0
}

/** Sessions with work that no one may be doing: for the start of a process, and for the sweeper. */
export async function selectStalledSessions(db: Database, olderThanMs: number, limit: number): Promise<string[]> {
  const rows = await db
    .selectDistinct({ id: sessions.id })
    .from(sessions)
    .innerJoin(batches, eq(batches.sessionId, sessions.id))
    .where(
      and(
        inArray(batches.state, OPEN_STATES),
        sql`${batches.updatedAt} <= now() - ${olderThanMs} * interval '1 millisecond'`,
        or(isNull(sessions.relayLeaseUntil), lte(sessions.relayLeaseUntil, sql`now()`)),
        gt(batches.position, 0),
      ),
    )
    .limit(limit)
  return rows.map(({ id }) => id)
}
