import { memoryGraph } from '../../domain/memories/memory-graph.ts'
import { memoryStats } from '../../domain/memories/memory-stats.ts'
import type { MemoryRow } from '../../domain/memories/queries.ts'
import { accountUsage } from '../../domain/usage/account-usage.ts'
import { endUserNames } from '../../domain/users/end-users.ts'
import type { HttpContext } from '../../http/context.ts'
import { type DialectRouter, slashed } from '../../http/dialect.ts'
import { countUse } from '../../http/quota.ts'
import { forMemoriesOf } from '../../http/service.ts'
import { open } from './request.ts'

/** The newest. */
const GRAPH_MEMORIES = 500
const LABEL_LENGTH = 60

/** The project at a glance. */
export function overviewRoutes(router: DialectRouter): void {
  router.on('GET', slashed('/stats'), stats)
  router.on('GET', slashed('/graph'), graph)
}

async function stats(c: HttpContext): Promise<Response> {
  const service = await open(c, 'read')
  await countUse(c, service, { requests: 1 })
  const { ctx, scope } = await forMemoriesOf(c, service, 'all')
  const found = await memoryStats(ctx, scope)
  const used = await accountUsage(ctx)
  return c.json({
    success: true,
    owner_id: ctx.service.accountId,
    plan_tier: used.plan,
    totals: {
      total_memories: found.visible,
      archived_memories: found.archived,
      total_users: found.users,
      total_api_calls: used.requests,
    },
    usage: {
      current_month_api_calls: used.month.requests,
      monthly_api_limit: used.requestsPerMonth,
      current_month_memories_added: used.month.adds,
      current_month_searches: used.month.searches,
      current_month_tokens: used.month.tokens,
    },
    storage: {
      total_storage_bytes: found.textBytes + found.fileBytes,
      text_bytes: found.textBytes,
      files: found.files,
      file_bytes: found.fileBytes,
    },
  })
}

/** The account, its end users, their newest memories, and how those hang together. */
async function graph(c: HttpContext): Promise<Response> {
  const service = await open(c, 'read')
  await countUse(c, service, { requests: 1 })
  const { ctx, scope } = await forMemoriesOf(c, service, 'all')
  const { nodes, edges } = await memoryGraph(ctx, scope, { limit: GRAPH_MEMORIES })
  const names = await endUserNames(
    ctx,
    nodes.map(({ userId }) => userId),
  )
  const owner = ctx.service.accountId
  const endUsers = [...names.values()].filter((name) => name !== null)
  return c.json({
    nodes: [
      { id: owner, label: 'Owner', type: 'owner', group: 1 },
      ...endUsers.map((name) => ({ id: userNode(name), label: name, type: 'enduser', group: 2 })),
      ...nodes.map(({ id, content }) => ({ id, label: labelOf(content), type: 'memory', group: 3, content })),
    ],
    links: [
      ...endUsers.map((name) => ({ source: owner, target: userNode(name), label: 'has_user' })),
      ...nodes.map((memory) => ({ source: holderOf(memory, names, owner), target: memory.id, label: 'has_memory' })),
      ...edges.map(({ fromId, toId, type }) => ({ source: fromId, target: toId, label: type })),
    ],
  })
}

/** An end user may be named like an account, or a memory. */
function userNode(name: string): string {
  return `user:${name}`
}

function holderOf({ userId }: MemoryRow, names: ReadonlyMap<string, string | null>, owner: string): string {
  const name = names.get(userId)
  return typeof name === 'string' ? userNode(name) : owner
}

function labelOf(content: string): string {
  const [line = ''] = content.split('\n')
  return line.length > LABEL_LENGTH ? `${line.slice(0, LABEL_LENGTH - 1)}…`.toWellFormed() : line
}
