import { and, eq, isNotNull, sql } from 'drizzle-orm'
import { type Database, preparedOn } from '../../../../db/database.ts'
import { engineMemories } from '../../../../db/schema/index.ts'
import type { ScoreParts } from '../../../../ports/memory-backend.ts'
import { any, type Partition } from '../queries.ts'

/** What is left of the score of a fact that a newer one contradicts: it is still found, below what holds. */
const SUPERSEDED = 0.5

interface Ranked {
  readonly id: string
  readonly score: number
  readonly parts: ScoreParts
}

const supersededStatement = preparedOn((db) =>
  db
    .select({ id: engineMemories.id })
    .from(engineMemories)
    .where(
      and(
        eq(engineMemories.projectId, sql.placeholder('projectId')),
        eq(engineMemories.senderId, sql.placeholder('senderId')),
        sql`${engineMemories.id} = ${any('ids', 'text')}`,
        isNotNull(engineMemories.supersededBy),
      ),
    )
    .prepare('engine_superseded'),
)

/** The ranking in its new order; `parts` of what sinks say so: `superseded` multiplies their score. */
export async function dampSuperseded<T extends Ranked>(
  db: Database,
  { projectId, senderId }: Partition,
  ranked: readonly T[],
): Promise<readonly T[]> {
  if (ranked.length === 0) return ranked
  const rows = await supersededStatement(db).execute({ projectId, senderId, ids: ranked.map(({ id }) => id) })
  if (rows.length === 0) return ranked
  const superseded = new Set(rows.map(({ id }) => id))
  return ranked
    .map((one) =>
      superseded.has(one.id)
        ? { ...one, score: one.score * SUPERSEDED, parts: { ...one.parts, superseded: SUPERSEDED } }
        : one,
    )
    .toSorted((one, other) => other.score - one.score)
}
