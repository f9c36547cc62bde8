import { and, asc, desc, eq, gt, gte, isNull, lte, or, type SQL, sql } from 'drizzle-orm'
import { type Database, preparedOn } from '../../db/database.ts'
import { accounts } from '../../db/schema/accounts.ts'
import { messages } from '../../db/schema/messages.ts'
import { observationRecords } from '../../db/schema/observation-records.ts'
import { threads } from '../../db/schema/threads.ts'
import { users } from '../../db/schema/users.ts'
import type { Owner } from '../context.ts'
import type { Unobserved } from './thresholds.ts'

export type RecordRow = typeof observationRecords.$inferSelect
export type MessageRow = typeof messages.$inferSelect

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

/** By the index of the session's messages: reads those after the last observed one alone. */
const unobserved = preparedOn((db: Database) =>
  db
    .select({
      pending: sql<string>`coalesce(sum(${messages.tokens}), 0)`,
      unbuffered: sql<string>`coalesce(sum(${messages.tokens}) filter (where ${messages.upstreamTimestamp} > ${bufferedThrough()}), 0)`,
    })
    .from(threads)
    .leftJoin(
      observationRecords,
      and(
        eq(observationRecords.userId, threads.userId),
        eq(observationRecords.threadId, threads.id),
        sql`${observationRecords.generation} = (select max(r.generation) from observation_records r where r.thread_id = ${threads.id})`,
      ),
    )
    .innerJoin(
      messages,
      and(
        eq(messages.userId, threads.userId),
        eq(messages.sessionId, threads.sessionId),
        gt(messages.upstreamTimestamp, sql`coalesce(${observationRecords.observedThrough}, 0)`),
      ),
    )
    .where(and(eq(threads.userId, sql.placeholder('userId')), eq(threads.id, sql.placeholder('threadId'))))
    .prepare('unobserved_tokens'),
)

function bufferedThrough(): SQL {
  return sql`coalesce((${observationRecords.buffered} -> -1 ->> 'through')::bigint, ${observationRecords.observedThrough}, 0)`
}

export async function sumUnobserved(db: Database, { userId }: Owner, threadId: string): Promise<Unobserved> {
  const [row] = await unobserved(db).execute({ userId, threadId })
  return { pending: Number(row?.pending ?? 0), unbuffered: Number(row?.unbuffered ?? 0) }
}

/** What is to be known of a message before its text is read. */
export interface MessageSize {
  readonly through: number
  readonly role: MessageRow['role']
  readonly tokens: number
  readonly hasCalls: boolean
}

/** Of the thread's messages after that upstream timestamp, oldest first. */
export async function selectSizesAfter(
  db: Database,
  thread: ObservedThread,
  after: number,
  limit: number,
): Promise<MessageSize[]> {
  return db
    .select({
      through: messages.upstreamTimestamp,
      role: messages.role,
      tokens: sql<number>`coalesce(${messages.tokens}, 0)`,
      hasCalls: sql<boolean>`coalesce(jsonb_array_length(${messages.toolCalls}), 0) > 0`,
    })
    .from(threads)
    .innerJoin(messages, and(eq(messages.userId, threads.userId), eq(messages.sessionId, threads.sessionId)))
    .where(and(eq(threads.userId, thread.userId), eq(threads.id, thread.id), gt(messages.upstreamTimestamp, after)))
    .orderBy(asc(messages.upstreamTimestamp))
    .limit(limit)
}

/** The thread's messages after the one upstream timestamp, through the other; oldest first. */
export async function selectMessagesBetween(
  db: Database,
  thread: ObservedThread,
  after: number,
  through: number,
): Promise<MessageRow[]> {
  const rows = await db
    .select({ message: messages })
    .from(threads)
    .innerJoin(messages, and(eq(messages.userId, threads.userId), eq(messages.sessionId, threads.sessionId)))
    .where(
      and(
        eq(threads.userId, thread.userId),
        eq(threads.id, thread.id),
        gt(messages.upstreamTimestamp, after),
        lte(messages.upstreamTimestamp, through),
      ),
    )
    .orderBy(asc(messages.upstreamTimestamp))
  return rows.map(({ message }) => message)
}

export interface ObservedThread {
  readonly id: string
  readonly userId: string
  readonly accountId: string
  readonly projectId: string
  readonly accountPlan: string | null
}

/** System scope: a thread of any account, and who pays for its observations. Undefined if it, or its user, is no more. */
export async function selectObservedThread(db: Database, threadId: string): Promise<ObservedThread | undefined> {
  const [row] = await db
    .select({
      id: threads.id,
      userId: threads.userId,
      accountId: users.accountId,
      projectId: users.projectId,
      accountPlan: accounts.plan,
    })
    .from(threads)
    .innerJoin(users, eq(users.id, threads.userId))
    .innerJoin(accounts, eq(accounts.id, users.accountId))
    .where(and(eq(threads.id, threadId), isNull(users.erasedAt)))
  return row
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
