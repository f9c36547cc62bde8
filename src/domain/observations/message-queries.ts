import { and, asc, eq, gt, isNull, lte, type SQL, sql } from 'drizzle-orm'
import { type Database, preparedOn } from '../../db/database.ts'
import { accounts } from '../../db/schema/accounts.ts'
import { messages } from '../../db/schema/messages.ts'
import { observationRecords } from '../../db/schema/observation-records.ts'
import { threads } from '../../db/schema/threads.ts'
import { users } from '../../db/schema/users.ts'
import type { Owner } from '../context.ts'
import type { Unobserved } from './thresholds.ts'

export type MessageRow = typeof messages.$inferSelect

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
