import { and, sql } from 'drizzle-orm'
import type { Database } from '../../db/database.ts'
import { memories } from '../../db/schema/memories.ts'
import type { MemoryScope } from '../context.ts'
import { inScope, isVisible } from './queries.ts'

/** The teams in whose name an agent has memories in sight; 100 at most. */
export async function selectTeamsOf(db: Database, scope: MemoryScope, agentId: string): Promise<string[]> {
  const team = sql<string>`${memories.origin}->>'team_id'`
  const rows = await db
    .selectDistinct({ team })
    .from(memories)
    .where(
      and(
        inScope(scope),
        isVisible,
        sql`${memories.origin} @> ${JSON.stringify({ agent_id: agentId })}::jsonb`,
        sql`${team} is not null`,
      ),
    )
    .orderBy(team)
    .limit(100)
  return rows.map((row) => row.team)
}
