import { and, asc, eq, inArray, lte, sql } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { memories } from '../../db/schema/memories.ts'
import type { MemoryScope } from '../context.ts'
import { inScope, type MemoryRow } from './queries.ts'

/** System scope: memories of any user whose time is over, locked until the transaction ends; not those that somebody else has locked. */
export function lockExpired(tx: Database, limit: number): Promise<MemoryRow[]> {
  return tx
    .select()
    .from(memories)
    .where(lte(memories.expiresAt, sql`now()`))
    .orderBy(asc(memories.expiresAt))
    .limit(limit)
    .for('update', { skipLocked: true })
}

/** Of memories that are locked. */
export function archiveRows(
  tx: Database,
  locked: readonly MemoryRow[],
  supersededBy: string | undefined,
): Promise<MemoryRow[]> {
  if (locked.length === 0) return Promise.resolve([])
  const at = sql`clock_timestamp()`
  return tx
    .update(memories)
    .set({ archivedAt: at, updatedAt: at, ...(supersededBy !== undefined && { supersededBy }) })
    .where(
      inArray(
        memories.id,
        locked.map(({ id }) => id),
      ),
    )
    .returning()
}

/** Does not count as a change of the memory. Resolves with it as it is kept. */
export async function setImportance(
  tx: Database,
  memory: Pick<MemoryRow, 'id' | 'userId'>,
  importance: number,
): Promise<number> {
  const [row] = await tx
    .update(memories)
    .set({ importance })
    .where(and(eq(memories.userId, memory.userId), eq(memories.id, memory.id)))
    .returning({ importance: memories.importance })
  if (!row) throw new Error('A locked memory is gone.')
  return row.importance
}

/**
 * They were read: that counts, and makes them a little more important, the less the more they are already. Locked in the order of their
 * ids, as by whoever changes or deletes several: so none waits for another in a circle.
 */
export async function touchMemories(db: Database, scope: MemoryScope, ids: readonly string[]): Promise<void> {
  const locked = db
    .select({ id: memories.id })
    .from(memories)
    .where(and(inScope(scope), inArray(memories.id, [...ids])))
    .orderBy(asc(memories.id))
    .for('no key update')
  await db
    .update(memories)
    .set({
      accessCount: sql`${memories.accessCount} + 1`,
      lastAccessedAt: sql`now()`,
      importance: sql`${memories.importance} + 0.02 * (1 - ${memories.importance})`,
    })
    .where(inArray(memories.id, locked))
}
