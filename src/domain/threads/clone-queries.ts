import { and, desc, eq, gte, inArray, lte, sql } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { messages } from '../../db/schema/messages.ts'
import { observationRecords } from '../../db/schema/observation-records.ts'
import type { Owner } from '../context.ts'
import { createId } from '../ids.ts'
import type { MessageRow } from '../sessions/queries.ts'
import type { ThreadRow } from './thread-context.ts'

/** Which messages of a thread; all that is given must hold. */
interface WhichMessages {
  readonly messageLimit?: number | undefined
  readonly startDate?: Date | undefined
  readonly endDate?: Date | undefined
  readonly messageIds?: readonly string[] | undefined
}

/** The newest of the messages asked for, `most` at most, oldest first; and whether those are all that the thread has. */
export async function selectMessagesToClone(
  tx: Database,
  { userId, sessionId }: Pick<ThreadRow, 'userId' | 'sessionId'>,
  { messageLimit, startDate, endDate, messageIds }: WhichMessages,
  most: number,
): Promise<{ messages: MessageRow[]; isAll: boolean }> {
  if (sessionId === null) return { messages: [], isAll: true }
  const isOfThread = and(eq(messages.userId, userId), eq(messages.sessionId, sessionId))
  const rows = await tx
    .select()
    .from(messages)
    .where(
      and(
        isOfThread,
        startDate && gte(messages.timestamp, startDate.getTime()),
        endDate && lte(messages.timestamp, endDate.getTime()),
        messageIds?.length ? inArray(messages.id, [...messageIds]) : undefined,
      ),
    )
    .orderBy(desc(messages.upstreamTimestamp))
    .limit(Math.min(most, messageLimit ?? most))
  return { messages: rows.toReversed(), isAll: rows.length === (await tx.$count(messages, isOfThread)) }
}

/** What is observed of a thread, for a copy of it whose messages have the same upstream timestamps. */
export async function copyCurrentRecord(tx: Database, owner: Owner, from: string, to: string): Promise<void> {
  const [record] = await tx
    .select()
    .from(observationRecords)
    .where(and(eq(observationRecords.userId, owner.userId), eq(observationRecords.threadId, from)))
    .orderBy(desc(observationRecords.generation))
    .limit(1)
  if (!record) return
  const idle = { workToken: null, workLeaseUntil: null, work: null }
  await tx
    .insert(observationRecords)
    .values({ ...record, ...idle, id: createId('obs'), threadId: to, updatedAt: sql`now()` })
}
