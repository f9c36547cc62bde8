import { and, asc, eq, inArray, isNotNull, isNull, max, sql } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { batches } from '../../db/schema/batches.ts'
import { memories } from '../../db/schema/memories.ts'
import { messages } from '../../db/schema/messages.ts'
import { seenTurns } from '../../db/schema/seen-turns.ts'
import { sessions } from '../../db/schema/sessions.ts'
import { stateItems } from '../../db/schema/state-items.ts'
import { threads } from '../../db/schema/threads.ts'
import { transcriptTurns } from '../../db/schema/transcript-turns.ts'
import type { Owner } from '../context.ts'
import { type Extent, measureObjects } from './measure-queries.ts'

/** What the sessions of an erasure hold. */
export async function measureErasure(tx: Database, erasureId: string): Promise<Extent> {
  const ofErasure = tx.select({ id: sessions.id }).from(sessions).where(eq(sessions.erasureId, erasureId))
  return {
    sessions: await tx.$count(sessions, eq(sessions.erasureId, erasureId)),
    messages: await tx.$count(messages, inArray(messages.sessionId, ofErasure)),
    ...(await measureObjects(tx, sql`select id from sessions where erasure_id = ${erasureId}`)),
  }
}

/** Frees the names of sessions, and leaves their rows to recognise what the backend may still hold; locked in the order of their ids. */
export async function markSessionsDeleted(
  tx: Database,
  owner: Owner,
  sessionIds: readonly string[],
  erasureId: string,
): Promise<void> {
  const locked = tx
    .select({ id: sessions.id })
    .from(sessions)
    .where(and(eq(sessions.userId, owner.userId), inArray(sessions.id, [...sessionIds]), isNull(sessions.deletedAt)))
    .orderBy(asc(sessions.id))
    .for('update')
  await tx
    .update(sessions)
    .set({ externalId: null, deletedAt: sql`now()`, erasureId })
    .where(inArray(sessions.id, locked))
}

/** All batches of these sessions, locked: an attempt that begins at this moment either counts, or finds its batch gone. */
export async function lockBatchesOf(tx: Database, owner: Owner, sessionIds: readonly string[]): Promise<string[]> {
  const rows = await tx
    .select({ id: batches.id })
    .from(batches)
    .where(and(eq(batches.userId, owner.userId), inArray(batches.sessionId, [...sessionIds])))
    .orderBy(asc(batches.id))
    .for('update')
  return rows.map(({ id }) => id)
}

/** Keeps on each session until when the backend may be at work on its batches, which are about to go. */
export async function keepSettlesAtOf(tx: Database, batchIds: readonly string[]): Promise<void> {
  const latest = tx
    .select({ sessionId: batches.sessionId, at: max(batches.settlesAt).as('at') })
    .from(batches)
    .where(and(inArray(batches.id, [...batchIds]), isNotNull(batches.settlesAt)))
    .groupBy(batches.sessionId)
    .as('latest')
  await tx
    .update(sessions)
    .set({ settlesAt: sql`greatest(${sessions.settlesAt}, ${latest.at})` })
    .from(latest)
    .where(eq(sessions.id, latest.sessionId))
}

/**
 * Deletes some memories of a user with all that hangs on them; resolves with how many there were. Locked in the order of their ids, as by
 * whoever deletes several of them.
 */
export async function deleteSomeMemories(db: Database, owner: Owner, limit: number): Promise<number> {
  const some = db
    .select({ id: memories.id })
    .from(memories)
    .where(eq(memories.userId, owner.userId))
    .orderBy(asc(memories.id))
    .limit(limit)
    .for('update')
  const rows = await db.delete(memories).where(inArray(memories.id, some)).returning({ id: memories.id })
  return rows.length
}

/** Deletes some of what else applications keep for a user: turns, state, and threads with their observations. Resolves with how many there were. */
export async function deleteSomeRecords(db: Database, owner: Owner, limit: number): Promise<number> {
  let deleted = 0
  for (const table of [transcriptTurns, stateItems, threads]) {
    const some = db.select({ id: table.id }).from(table).where(eq(table.userId, owner.userId)).limit(limit)
    const rows = await db.delete(table).where(inArray(table.id, some)).returning({ id: table.id })
    deleted += rows.length
  }
  const isTheirs = eq(seenTurns.userId, owner.userId)
  const some = db.select({ fingerprint: seenTurns.fingerprint }).from(seenTurns).where(isTheirs).limit(limit)
  const seen = await db
    .delete(seenTurns)
    .where(and(isTheirs, inArray(seenTurns.fingerprint, some)))
    .returning({ fingerprint: seenTurns.fingerprint })
  return deleted + seen.length
}
