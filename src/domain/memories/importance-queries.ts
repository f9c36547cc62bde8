import { and, asc, eq, inArray, sql } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { memories } from '../../db/schema/memories.ts'
import { memoryRevisions } from '../../db/schema/memory-revisions.ts'
import type { MemoryScope } from '../context.ts'
import { createdMicros, inScope, isBehind, isVisible, type MemoryPlace, type MemoryRow } from './queries.ts'

export type ImportanceRow = Pick<
  MemoryRow,
  'id' | 'userId' | 'importance' | 'accessCount' | 'lastAccessedAt' | 'createdAt'
> & {
  /** What was said of it last, in an update or at its creation; null if that is not known. */
  readonly base: number | null
}

/** Places of some of the memories in sight, oldest first. */
export function selectPlaces(
  db: Database,
  scope: MemoryScope,
  page: { after: MemoryPlace | undefined; limit: number },
): Promise<MemoryPlace[]> {
  const { after, limit } = page
  return db
    .select({ micros: createdMicros, id: memories.id })
    .from(memories)
    .where(and(inScope(scope), isVisible, after && isBehind(after)))
    .orderBy(asc(memories.createdAt), asc(memories.id))
    .limit(limit)
}

/** Those of them that are in sight, locked in the order of their ids until the transaction ends. */
export async function lockForImportance(
  tx: Database,
  scope: MemoryScope,
  ids: readonly string[],
): Promise<ImportanceRow[]> {
  const said = sql<number | null>`(
    select (said.diff -> 'importance' ->> 'new')::float8 from ${memoryRevisions} said
    where said.memory_id = ${memories.id} and jsonb_exists(said.diff, 'importance')
    order by said.revision desc limit 1)`
  return tx
    .select({
      id: memories.id,
      userId: memories.userId,
      importance: memories.importance,
      accessCount: memories.accessCount,
      lastAccessedAt: memories.lastAccessedAt,
      createdAt: memories.createdAt,
      base: said,
    })
    .from(memories)
    .where(and(inScope(scope), isVisible, inArray(memories.id, [...ids])))
    .orderBy(asc(memories.id))
    .for('no key update')
}

/** Of memories that are locked. */
export async function setImportances(
  tx: Database,
  values: readonly { readonly id: string; readonly userId: string; readonly importance: number }[],
): Promise<void> {
  if (values.length === 0) return
  const rows = values.map(({ id, userId, importance }) => sql`(${id}, ${userId}, ${importance}::float8)`)
  await tx.execute(sql`
    update ${memories} set importance = given.importance
    from (values ${sql.join(rows, sql`, `)}) as given (id, user_id, importance)
    where ${eq(memories.userId, sql`given.user_id`)} and ${eq(memories.id, sql`given.id`)}`)
}
