import { and, eq, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/pg-core'
import type { Database } from '../../../../db/database.ts'
import { engineMemories, engineModelUse, engineSessions } from '../../../../db/schema/index.ts'
import { deleteInPages, type Partition } from '../queries.ts'
import type { Spender } from './budget.ts'

/** Each fact of a forgotten session may have replaced another one of it. */
const MOST_ROUNDS = 100

/**
 * To be called before the memories of a session are deleted: nobody stores facts of them any more, as that needs the row of the session, and facts of
 * other sessions that they replaced hold again.
 */
export async function forgetFacts(db: Database, partition: Partition, sessionId: string): Promise<void> {
  await deleteInPages(db, engineSessions, partition, sessionId)
  await restoreReplaced(db, partition, sessionId)
}

/** The same for all of a partition, and what its owner's facts have cost. */
export async function forgetAllFacts(db: Database, partition: Partition, { ownerId }: Spender): Promise<void> {
  await deleteInPages(db, engineSessions, partition, undefined)
  await db.delete(engineModelUse).where(eq(engineModelUse.ownerId, ownerId))
}

async function restoreReplaced(db: Database, { projectId, senderId }: Partition, sessionId: string): Promise<void> {
  const newer = alias(engineMemories, 'newer')
  const isFactOf = (table: typeof engineMemories | typeof newer) =>
    and(eq(table.projectId, projectId), eq(table.senderId, senderId), sql`${table.kind} = 'fact'`)
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const restored = await db
      .update(engineMemories)
      .set({ supersededBy: sql`${newer.supersededBy}` })
      .from(newer)
      .where(
        and(
          isFactOf(engineMemories),
          isFactOf(newer),
          eq(engineMemories.supersededBy, newer.id),
          eq(newer.sessionId, sessionId),
        ),
      )
      .returning({ id: engineMemories.id })
    if (restored.length === 0) return
  }
}
