import { listAgentMemories } from '../../domain/memories/list-agent-memories.ts'
import type { HttpContext } from '../../http/context.ts'
import { type DialectRouter, slashed } from '../../http/dialect.ts'
import { countUse } from '../../http/quota.ts'
import { forMemoriesOf } from '../../http/service.ts'
import { showMemories } from './mapping.ts'
import { open, readQuery, whoseOf } from './request.ts'
import { AgentQuery, filterOf } from './schemas.ts'

export function agentRoutes(router: DialectRouter): void {
  router.on('GET', slashed('/memories/agents'), list)
}

async function list(c: HttpContext): Promise<Response> {
  const service = await open(c, 'read')
  const query = readQuery(c, AgentQuery)
  await countUse(c, service, { requests: 1 })
  const { ctx, scope } = await forMemoriesOf(c, service, whoseOf(query.user_id))
  const { agent_id: agentId, include_team: includeTeam, include_project: includeProject, limit, cursor } = query
  const agent = { agentId, includeTeam, includeProject }
  const page = { limit, cursor, order: 'desc' as const }
  const { items, nextCursor } = await listAgentMemories(ctx, scope, agent, filterOf(query), page)
  return c.json({
    success: true,
    count: items.length,
    next_cursor: nextCursor,
    data: await showMemories(ctx, items),
  })
}
