import { and, eq, inArray, isNull, lt, or, sql } from 'drizzle-orm'
import type { PgUpdateSetSource } from 'drizzle-orm/pg-core'
import type { Database } from '../../db/database.ts'
import { idempotencyKeys } from '../../db/schema/idempotency-keys.ts'
import type { MemoryScope, Owner } from '../context.ts'
import { memoriesOfProject } from './answer-subject.ts'

export type IdempotencyRow = typeof idempotencyKeys.$inferSelect

/** In place of an answer that spoke of what was erased since. */
export const ERASED = 'erased'

const KEPT_HOURS = 24

/**
 * Takes the key for `leaseMs`: a new one, one whose time is over, or one whose request died before it had an effect. False if
 * it is another's, or has its answer.
 */
export async function claimKey(
  db: Database,
  key: { id: string; userId: string | null; fingerprint: string; token: string },
  leaseMs: number,
): Promise<boolean> {
  const { token, ...row } = key
  const claim = { claimToken: token, claimedUntil: leaseEnd(leaseMs) }
  const isOver = sql`${idempotencyKeys.createdAt} < now() - ${KEPT_HOURS} * interval '1 hour'`
  const isDead = and(
    eq(idempotencyKeys.fingerprint, row.fingerprint),
    isNull(idempotencyKeys.answer),
    or(isNull(idempotencyKeys.claimedUntil), lt(idempotencyKeys.claimedUntil, sql`now()`)),
  )
  const rows = await db
    .insert(idempotencyKeys)
    .values({ ...row, ...claim })
    .onConflictDoUpdate({
      target: idempotencyKeys.id,
      set: {
        ...claim,
        fingerprint: row.fingerprint,
        answer: null,
        batchId: null,
        sessionId: null,
        createdAt: sql`now()`,
      },
      setWhere: sql`${isOver} or (${isDead})`,
    })
    .returning({ id: idempotencyKeys.id })
  return rows.length > 0
}

/** The key as another request left it, and whether that one is still at it. */
export async function findKey(
  db: Database,
  id: string,
): Promise<(Pick<IdempotencyRow, 'fingerprint' | 'answer'> & { isRunning: boolean }) | undefined> {
  const [row] = await db
    .select({
      fingerprint: idempotencyKeys.fingerprint,
      answer: idempotencyKeys.answer,
      isRunning: sql<boolean>`coalesce(${idempotencyKeys.claimedUntil} > now(), false)`,
    })
    .from(idempotencyKeys)
    .where(eq(idempotencyKeys.id, id))
  return row
}

/** False if the key is not this request's any more. */
export async function extendClaim(db: Database, id: string, token: string, leaseMs: number): Promise<boolean> {
  return changeClaimed(db, id, token, { claimedUntil: leaseEnd(leaseMs) })
}

/** Keeps an answer. False if the key is not this request's any more. */
export async function storeAnswer(
  db: Database,
  id: string,
  token: string,
  answer: { answer: string; userId?: string; batchId?: string; sessionId?: string },
): Promise<boolean> {
  return changeClaimed(db, id, token, answer)
}

/** The request has ended. What was kept stays; a key without an answer may be used again. */
export async function releaseClaim(db: Database, id: string, token: string): Promise<void> {
  const isOurs = and(eq(idempotencyKeys.id, id), eq(idempotencyKeys.claimToken, token))
  await db.delete(idempotencyKeys).where(and(isOurs, isNull(idempotencyKeys.answer)))
  await db.update(idempotencyKeys).set({ claimToken: null, claimedUntil: null }).where(isOurs)
}

/** The last answer, and the end of the claim. An erased one stays erased. */
export async function completeClaim(db: Database, id: string, token: string, answer: string): Promise<void> {
  await changeClaimed(db, id, token, {
    answer: sql`case when ${idempotencyKeys.answer} = ${ERASED} then ${ERASED} else ${answer} end`,
    claimToken: null,
    claimedUntil: null,
  })
}

/** What the batches stored is taken back: the same request may do it anew. */
export async function forgetKeysOfBatches(tx: Database, owner: Owner, batchIds: readonly string[]): Promise<void> {
  if (batchIds.length === 0) return
  await tx
    .delete(idempotencyKeys)
    .where(and(eq(idempotencyKeys.userId, owner.userId), inArray(idempotencyKeys.batchId, [...batchIds])))
}

/** The answers spoke of a session that is erased: repeating the request must neither show it nor bring it back. */
export function eraseAnswersOfSession(tx: Database, owner: Owner, sessionId: string): Promise<void> {
  return eraseAnswersOfSessions(tx, owner, [sessionId])
}

export async function eraseAnswersOfSessions(tx: Database, owner: Owner, sessionIds: readonly string[]): Promise<void> {
  await tx
    .update(idempotencyKeys)
    .set({ answer: ERASED })
    .where(and(eq(idempotencyKeys.userId, owner.userId), inArray(idempotencyKeys.sessionId, [...sessionIds])))
}

/** The same for answers that spoke of several memories of a project's users. */
export async function eraseAnswersOfProject(tx: Database, place: MemoryScope): Promise<void> {
  await tx
    .update(idempotencyKeys)
    .set({ answer: ERASED })
    .where(eq(idempotencyKeys.sessionId, memoriesOfProject(place).sessionId))
}

/** The same for all that spoke of a user; a request that is under way has no effect any more. */
export async function eraseAnswersOfUser(tx: Database, owner: Owner): Promise<void> {
  await tx
    .update(idempotencyKeys)
    .set({ answer: ERASED, userId: null, batchId: null, sessionId: null, claimToken: null, claimedUntil: null })
    .where(eq(idempotencyKeys.userId, owner.userId))
}

/** System scope: keys whose time is over. */
export async function deleteOldKeys(db: Database): Promise<void> {
  await db.delete(idempotencyKeys).where(sql`${idempotencyKeys.createdAt} < now() - ${KEPT_HOURS} * interval '1 hour'`)
}

async function changeClaimed(
  db: Database,
  id: string,
  token: string,
  change: PgUpdateSetSource<typeof idempotencyKeys>,
): Promise<boolean> {
  const rows = await db
    .update(idempotencyKeys)
    .set(change)
    .where(and(eq(idempotencyKeys.id, id), eq(idempotencyKeys.claimToken, token)))
    .returning({ id: idempotencyKeys.id })
  return rows.length > 0
}

function leaseEnd(leaseMs: number) {
  return sql`now() + ${leaseMs} * interval '1 millisecond'`
}
