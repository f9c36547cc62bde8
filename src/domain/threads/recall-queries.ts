import { and, desc, eq, isNull, sql } from 'drizzle-orm'
import { type Database, preparedOn } from '../../db/database.ts'
import { memories } from '../../db/schema/memories.ts'
import { messages } from '../../db/schema/messages.ts'
import { observationRecords } from '../../db/schema/observation-records.ts'
import { textArray } from '../attachments/queries.ts'
import type { Owner } from '../context.ts'
import type { MessageRow } from '../sessions/queries.ts'

/** So many messages of a thread are looked at. */
const MOST_MESSAGES = 400
/** So many also if they are observed: to recognise what a client sends again. */
const MESSAGES_TO_COMPARE = 24

const tail = preparedOn((db) => {
  const newest = db
    .select()
    .from(messages)
    .where(and(eq(messages.userId, sql.placeholder('userId')), eq(messages.sessionId, sql.placeholder('sessionId'))))
    .orderBy(desc(messages.upstreamTimestamp))
    .limit(MOST_MESSAGES)
    .as('newest')
  const counted = db
    .select({
      id: newest.id,
      place: sql<number>`row_number() over (order by ${newest.upstreamTimestamp} desc)`.as('place'),
      tokensFromHere:
        sql<number>`sum(coalesce(${newest.tokens}, 0)) over (order by ${newest.upstreamTimestamp} desc)`.as(
          'tokens_from_here',
        ),
    })
    .from(newest)
    .as('counted')
  const observed = db
    .select({ through: observationRecords.observedThrough })
    .from(observationRecords)
    .where(
      and(
        eq(observationRecords.userId, sql.placeholder('userId')),
        eq(observationRecords.threadId, sql.placeholder('threadId')),
      ),
    )
    .orderBy(desc(observationRecords.generation))
    .limit(1)
  return db
    .select({ message: messages })
    .from(counted)
    .innerJoin(messages, eq(messages.id, counted.id))
    .where(
      sql`${counted.tokensFromHere} - coalesce(${messages.tokens}, 0) < ${sql.placeholder('mostTokens')}
        and (${counted.place} <= ${MESSAGES_TO_COMPARE} or ${messages.upstreamTimestamp} > coalesce((${observed}), 0))`,
    )
    .orderBy(messages.upstreamTimestamp)
    .prepare('thread_tail')
})

/**
 * The newest messages of a thread, oldest first: those that no observation stands for, and a few before them; not more than have
 * `mostTokens` together, but for the oldest of them.
 */
export async function selectTail(
  db: Database,
  owner: Owner,
  thread: { readonly id: string; readonly sessionId: string },
  mostTokens: number,
): Promise<MessageRow[]> {
  const { id: threadId, sessionId } = thread
  const rows = await tail(db).execute({ userId: owner.userId, threadId, sessionId, mostTokens })
  return rows.map(({ message }) => message)
}

const memoriesInSight = preparedOn((db) =>
  db
    .select({ id: memories.id, sessionId: memories.sessionId })
    .from(memories)
    .where(
      and(
        eq(memories.userId, sql.placeholder('userId')),
        sql`${memories.sessionId} = any(${sql.placeholder('sessionIds')}::text[])`,
        isNull(memories.archivedAt),
        sql`(${memories.expiresAt} is null or ${memories.expiresAt} > now())`,
      ),
    )
    .prepare('memories_in_sight'),
)

/** By their sessions: the ids of explicit memories that are neither archived nor expired. */
export async function selectMemoriesInSight(
  db: Database,
  owner: Owner,
  sessionIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (sessionIds.length === 0) return new Map()
  const rows = await memoriesInSight(db).execute({ userId: owner.userId, sessionIds: textArray(sessionIds) })
  return new Map(rows.map(({ id, sessionId }) => [sessionId, id]))
}
