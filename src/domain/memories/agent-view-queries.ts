import { inArray, or, type SQL, sql } from 'drizzle-orm'
import { memories } from '../../db/schema/memories.ts'
import type { AgentView } from './schemas.ts'

/** A condition on memories that some scope holds already. */
export function isSeenBy({ agentId, teamIds, withProject }: AgentView): SQL | undefined {
  const { origin } = memories
  return or(
    sql`${origin}->>'agent_id' = ${agentId}`,
    teamIds.length > 0 ? inArray(sql`${origin}->>'team_id'`, [...teamIds]) : undefined,
    withProject ? sql`${origin}->>'agent_id' is null and ${origin}->>'team_id' is null` : undefined,
  )
}
