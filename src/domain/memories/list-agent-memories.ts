import type { MemoryScope, ServiceContext } from '../context.ts'
import { selectTeamsOf } from './agent-team-queries.ts'
import { listMemories, type MemoryPageRequest } from './list-memories.ts'
import type { MemoryRow } from './queries.ts'
import type { MemoryFilter } from './schemas.ts'

/** Whose memories an agent sees beside its own. */
export interface AgentScope {
  readonly agentId: string
  /** Those of the teams in whose name it has memories itself. */
  readonly includeTeam: boolean
  /** Those that are of no agent and no team. */
  readonly includeProject: boolean
}

/** What an agent of the application sees. Errors and pages as of `listMemories`. */
export async function listAgentMemories(
  ctx: ServiceContext,
  scope: MemoryScope,
  { agentId, includeTeam, includeProject: withProject }: AgentScope,
  filter: MemoryFilter,
  page: MemoryPageRequest,
): Promise<{ items: readonly MemoryRow[]; nextCursor: string | null }> {
  const teamIds = includeTeam ? await selectTeamsOf(ctx.services.db, scope, agentId) : []
  return listMemories(ctx, scope, { ...filter, agentView: { agentId, teamIds, withProject } }, page)
}
