import { and, desc, eq, gte, lte, or, sql } from 'drizzle-orm'
import { type Database, preparedOn } from '../../../../db/database.ts'
import { engineMemories } from '../../../../db/schema/index.ts'
import { any } from '../queries.ts'
import type { SearchRange } from './queries.ts'
import { scopeOf } from './scope-of.ts'

/** Of more, some of them are looked at. */
const MOST_SCANNED = 10_000

function prepareNewest(db: Database, withSessions: boolean) {
  const matched = db
    .select({
      id: engineMemories.id,
      projectId: engineMemories.projectId,
      senderId: engineMemories.senderId,
      timestamp: engineMemories.timestamp,
      passage: engineMemories.passage,
      kind: engineMemories.kind,
    })
    .from(engineMemories)
    .where(
      and(
        sql`${engineMemories.terms} @@ ${sql.placeholder('query')}::tsquery`,
        gte(engineMemories.timestamp, sql.placeholder('from')),
        lte(engineMemories.timestamp, sql.placeholder('to')),
        withSessions ? sql`${engineMemories.sessionId} = ${any('sessionIds', 'text')}` : undefined,
      ),
    )
    .limit(MOST_SCANNED)
    .as('matched')
  return db
    .select({ id: matched.id })
    .from(matched)
    .where(
      and(
        eq(matched.projectId, sql.placeholder('projectId')),
        eq(matched.senderId, sql.placeholder('senderId')),
        // Of a long file its beginning: the rest says no more of when.
        or(eq(matched.passage, 0), eq(matched.kind, 'fact')),
      ),
    )
    .orderBy(desc(matched.timestamp), matched.id)
    .limit(sql.placeholder('most'))
    .prepare(`engine_newest_${withSessions}`)
}

const newestOfAll = preparedOn((db) => prepareNewest(db, false))
const newestInSessions = preparedOn((db) => prepareNewest(db, true))

/** The ids of what was said in a range, the newest first. */
export async function findNewest(db: Database, range: SearchRange, most: number): Promise<string[]> {
  const { all } = await scopeOf(db, range)
  const statement = range.sessionIds ? newestInSessions(db) : newestOfAll(db)
  const rows = await statement.execute({ ...range, query: all, most })
  return rows.map(({ id }) => id)
}
