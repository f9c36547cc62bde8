import { and, asc, count, desc, inArray, lt, or, type SQL, sql } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { memories } from '../../db/schema/memories.ts'
import type { MemoryScope } from '../context.ts'
import { createdMicros, inScope, isBehind, isVisible, type MemoryPlace, type MemoryRow } from './queries.ts'

/** What goes: what fulfils one of these. */
export interface PruneRule {
  readonly madeBefore?: Date | undefined
  readonly minImportance?: number | undefined
  /** Of what the other two leave: this one, and what is older. */
  readonly upTo?: MemoryPlace | undefined
}

export interface PruneCounts {
  /** In sight at the beginning. */
  readonly evaluated: number
  readonly byAge: number
  readonly byImportance: number
  readonly byCount: number
}

const never = sql`false`
const isTooOld = ({ madeBefore }: PruneRule) => (madeBefore ? lt(memories.createdAt, madeBefore) : never)
const mattersTooLittle = ({ minImportance }: PruneRule) =>
  minImportance === undefined ? never : lt(memories.importance, minImportance)
const isTooMany = ({ upTo }: PruneRule) => (upTo ? sql`not (${isBehind(upTo)})` : never)

function isPrunable(rule: PruneRule): SQL | undefined {
  return or(isTooOld(rule), mattersTooLittle(rule), isTooMany(rule))
}

/** The newest that is one too many, of what age and importance leave; undefined if there are not so many. */
export async function findCountBoundary(
  db: Database,
  scope: MemoryScope,
  rule: PruneRule,
  keep: number,
): Promise<PruneRule['upTo']> {
  const [row] = await db
    .select({ micros: createdMicros, id: memories.id })
    .from(memories)
    .where(and(inScope(scope), isVisible, sql`not (${isTooOld(rule)})`, sql`not (${mattersTooLittle(rule)})`))
    .orderBy(desc(memories.createdAt), desc(memories.id))
    .offset(keep)
    .limit(1)
  return row
}

export async function countPrunable(db: Database, scope: MemoryScope, rule: PruneRule): Promise<PruneCounts> {
  const [old, little, many] = [isTooOld(rule), mattersTooLittle(rule), isTooMany(rule)]
  const filtered = (condition: SQL) => sql<number>`count(*) filter (where ${condition})`.mapWith(Number)
  const [row] = await db
    .select({
      evaluated: count(),
      byAge: filtered(old),
      byImportance: filtered(sql`not (${old}) and ${little}`),
      byCount: filtered(sql`not (${old}) and not (${little}) and ${many}`),
    })
    .from(memories)
    .where(and(inScope(scope), isVisible))
  return row ?? { evaluated: 0, byAge: 0, byImportance: 0, byCount: 0 }
}

/** Some of those that may go, oldest first. */
export function selectPrunable(
  db: Database,
  scope: MemoryScope,
  rule: PruneRule,
  page: { after: MemoryPlace | undefined; limit: number },
): Promise<MemoryPlace[]> {
  const { after } = page
  return db
    .select({ micros: createdMicros, id: memories.id })
    .from(memories)
    .where(and(inScope(scope), isVisible, isPrunable(rule), after && isBehind(after)))
    .orderBy(asc(memories.createdAt), asc(memories.id))
    .limit(page.limit)
}

/** Those of them that are still to go, locked until the transaction ends. */
export function lockPrunable(
  tx: Database,
  scope: MemoryScope,
  rule: PruneRule,
  ids: readonly string[],
): Promise<MemoryRow[]> {
  return tx
    .select()
    .from(memories)
    .where(and(inScope(scope), isVisible, isPrunable(rule), inArray(memories.id, [...ids])))
    .orderBy(asc(memories.id))
    .for('update')
}
