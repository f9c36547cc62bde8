import { and, desc, eq, gte, isNull, lte, or, type SQL, sql } from 'drizzle-orm'
import { type Database, preparedOn } from '../../db/database.ts'
import { observationRecords } from '../../db/schema/observation-records.ts'
import { threads } from '../../db/schema/threads.ts'
import type { Owner } from '../context.ts'

export type RecordRow = typeof observationRecords.$inferSelect

/** A record, and whether somebody is at work on it, by the clock of the database. */
export interface HeldRecord {
  readonly record: RecordRow
  readonly isHeld: boolean
}

const isHeld = sql<boolean>`coalesce(${observationRecords.workLeaseUntil} > now(), false)`

const shown = preparedOn((db: Database) =>
  db
    .select({
      observations: observationRecords.observations,
      observedThrough: observationRecords.observedThrough,
      tokens: observationRecords.observationTokens,
    })
    .from(observationRecords)
    .where(
      and(
        eq(observationRecords.userId, sql.placeholder('userId')),
        eq(observationRecords.threadId, sql.placeholder('threadId')),
      ),
    )
    .orderBy(desc(observationRecords.generation))
    .limit(1)
    .prepare('shown_observations'),
)

export async function selectShown(db: Database, { userId }: Owner, threadId: string) {
  const [row] = await shown(db).execute({ userId, threadId })
  return row
}

const ofThread = ({ userId }: Owner, threadId: string) =>
  and(eq(observationRecords.userId, userId), eq(observationRecords.threadId, threadId))

export async function selectCurrent(db: Database, owner: Owner, threadId: string): Promise<HeldRecord | undefined> {
  const [row] = await db
    .select({ record: observationRecords, isHeld })
    .from(observationRecords)
    .where(ofThread(owner, threadId))
    .orderBy(desc(observationRecords.generation))
    .limit(1)
  return row
}

export interface RecordPage {
  /** Made at this time or later, or before it; both inclusive. */
  readonly from?: Date | undefined
  readonly to?: Date | undefined
  readonly limit: number
  readonly offset: number
}

/** Newest generation first. */
export function selectRecords(db: Database, owner: Owner, threadId: string, page: RecordPage): Promise<HeldRecord[]> {
  const { from, to, limit, offset } = page
  return db
    .select({ record: observationRecords, isHeld })
    .from(observationRecords)
    .where(
      and(
        ofThread(owner, threadId),
        from && gte(observationRecords.createdAt, from),
        to && lte(observationRecords.createdAt, to),
      ),
    )
    .orderBy(desc(observationRecords.generation))
    .limit(limit)
    .offset(offset)
}

/** The first record of a thread, unless it has one or is no more. */
export async function insertFirstRecord(db: Database, { userId }: Owner, threadId: string, id: string): Promise<void> {
  await db.execute(sql`
    insert into observation_records (id, user_id, thread_id, generation, origin)
    select ${id}, ${threads.userId}, ${threads.id}, 0, 'initial' from ${threads}
    where ${threads.userId} = ${userId} and ${threads.id} = ${threadId} for key share
    on conflict do nothing`)
}

function leaseEnd(leaseMs: number): SQL {
  return sql`now() + ${leaseMs} * interval '1 millisecond'`
}

/** Undefined if somebody else holds it. */
export async function claimRecord(
  db: Database,
  { userId, id }: Pick<RecordRow, 'userId' | 'id'>,
  token: string,
  leaseMs: number,
): Promise<RecordRow | undefined> {
  const [row] = await db
    .update(observationRecords)
    .set({ workToken: token, workLeaseUntil: leaseEnd(leaseMs), work: null })
    .where(
      and(
        eq(observationRecords.userId, userId),
        eq(observationRecords.id, id),
        or(isNull(observationRecords.workLeaseUntil), lte(observationRecords.workLeaseUntil, sql`now()`)),
      ),
    )
    .returning()
  return row
}

const claimedBy = (thread: Pick<RecordRow, 'userId' | 'threadId'>, token: string) =>
  and(ofThread(thread, thread.threadId), eq(observationRecords.workToken, token))

/** Of the record or the one after it: a reflection moves the claim to the next generation. False if it was lost. */
export async function extendClaim(
  db: Database,
  thread: Pick<RecordRow, 'userId' | 'threadId'>,
  token: string,
  leaseMs: number,
): Promise<boolean> {
  const rows = await db
    .update(observationRecords)
    .set({ workLeaseUntil: leaseEnd(leaseMs) })
    .where(claimedBy(thread, token))
    .returning({ id: observationRecords.id })
  return rows.length > 0
}

export async function releaseClaim(
  db: Database,
  thread: Pick<RecordRow, 'userId' | 'threadId'>,
  token: string,
): Promise<void> {
  await db
    .update(observationRecords)
    .set({ workToken: null, workLeaseUntil: null, work: null })
    .where(claimedBy(thread, token))
}

export type RecordChanges = Partial<
  Pick<
    RecordRow,
    | 'observations'
    | 'observationTokens'
    | 'observedThrough'
    | 'lastObservedAt'
    | 'totalTokensObserved'
    | 'buffered'
    | 'bufferedReflection'
    | 'reflectedLines'
    | 'work'
  >
>

/** Whoever does not hold the claim any more changes nothing, and gets undefined. */
export async function updateClaimed(
  db: Database,
  { id, userId }: Pick<RecordRow, 'id' | 'userId'>,
  token: string,
  changes: RecordChanges,
): Promise<RecordRow | undefined> {
  const [row] = await db
    .update(observationRecords)
    .set({ ...changes, updatedAt: sql`now()` })
    .where(
      and(
        eq(observationRecords.userId, userId),
        eq(observationRecords.id, id),
        eq(observationRecords.workToken, token),
      ),
    )
    .returning()
  return row
}

/** In a transaction, after the claim on `before` was found to hold: the generation that follows it, with its claim. */
export async function insertNextGeneration(
  tx: Database,
  before: RecordRow,
  id: string,
  observations: { readonly text: string; readonly tokens: number },
): Promise<RecordRow | undefined> {
  const [row] = await tx
    .insert(observationRecords)
    .values({
      id,
      userId: before.userId,
      threadId: before.threadId,
      generation: before.generation + 1,
      origin: 'reflection',
      observations: observations.text,
      observationTokens: observations.tokens,
      observedThrough: before.observedThrough,
      lastObservedAt: before.lastObservedAt,
      totalTokensObserved: before.totalTokensObserved,
      buffered: before.buffered,
      workToken: before.workToken,
      workLeaseUntil: before.workLeaseUntil,
    })
    .returning()
  return row
}
