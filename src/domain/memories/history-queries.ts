import { and, asc, eq, sql } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { type FeedbackSignal, memoryFeedback } from '../../db/schema/memory-feedback.ts'
import { memoryRevisions } from '../../db/schema/memory-revisions.ts'
import type { MemoryRow } from './queries.ts'

export type { FeedbackSignal }
export type RevisionRow = typeof memoryRevisions.$inferSelect

type Subject = Pick<MemoryRow, 'id' | 'userId'>

const isOf = (memory: Subject) =>
  and(eq(memoryRevisions.userId, memory.userId), eq(memoryRevisions.memoryId, memory.id))

/** Oldest first. */
export function selectRevisions(
  db: Database,
  memory: Subject,
  page: { limit: number; offset: number },
): Promise<RevisionRow[]> {
  return db
    .select()
    .from(memoryRevisions)
    .where(isOf(memory))
    .orderBy(asc(memoryRevisions.revision))
    .limit(page.limit)
    .offset(page.offset)
}

export function countRevisions(db: Database, memory: Subject): Promise<number> {
  return db.$count(memoryRevisions, isOf(memory))
}

export async function insertFeedback(
  tx: Database,
  memory: Subject,
  feedback: { signal: FeedbackSignal; comment: string | null },
): Promise<void> {
  await tx.insert(memoryFeedback).values({ ...feedback, userId: memory.userId, memoryId: memory.id })
}

export async function countFeedback(tx: Database, memory: Subject): Promise<Record<FeedbackSignal, number>> {
  const rows = await tx
    .select({ signal: memoryFeedback.signal, count: sql<number>`count(*)`.mapWith(Number) })
    .from(memoryFeedback)
    .where(and(eq(memoryFeedback.userId, memory.userId), eq(memoryFeedback.memoryId, memory.id)))
    .groupBy(memoryFeedback.signal)
  const counts = { positive: 0, negative: 0, retrieved: 0, ignored: 0 }
  for (const { signal, count } of rows) counts[signal] = count
  return counts
}

/** The last so many signals of each memory, oldest first. */
export async function selectSignals(
  db: Database,
  memories: readonly Subject[],
  limit: number,
): Promise<Map<string, FeedbackSignal[]>> {
  if (memories.length === 0) return new Map()
  const ids = sql.join(
    memories.map(({ id }) => sql`${id}`),
    sql`, `,
  )
  const newest = db
    .select({
      memoryId: memoryFeedback.memoryId,
      signal: memoryFeedback.signal,
      id: memoryFeedback.id,
      place:
        sql<number>`row_number() over (partition by ${memoryFeedback.memoryId} order by ${memoryFeedback.id} desc)`.as(
          'place',
        ),
    })
    .from(memoryFeedback)
    .where(sql`${memoryFeedback.memoryId} in (${ids})`)
    .as('newest')
  const rows = await db
    .select({ memoryId: newest.memoryId, signal: newest.signal })
    .from(newest)
    .where(sql`${newest.place} <= ${limit}`)
    .orderBy(asc(newest.id))
  return new Map(
    [...Map.groupBy(rows, ({ memoryId }) => memoryId)].map(([id, of]) => [id, of.map(({ signal }) => signal)]),
  )
}
