import { Readable } from 'node:stream'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { z } from 'zod'
import type { MemoryScope, UserContext } from '../../../domain/context.ts'
import { pagesOf } from '../../../domain/memories/forget-memories.ts'
import type { LinkRow } from '../../../domain/memories/link-queries.ts'
import { type ClusterReport, type MemoryCluster, memoryClusters } from '../../../domain/memories/memory-clusters.ts'
import { memoryGraph } from '../../../domain/memories/memory-graph.ts'
import { userScope } from '../../../domain/memories/memory-scope.ts'
import { memoryStats } from '../../../domain/memories/memory-stats.ts'
import { tierOf } from '../../../domain/memories/memory-tier.ts'
import type { MemoryRow } from '../../../domain/memories/queries.ts'
import { type RefreshReport, refreshMemories } from '../../../domain/memories/refresh-memories.ts'
import { relinkMemories } from '../../../domain/memories/relink-memories.ts'
import type { HttpContext } from '../../../http/context.ts'
import { rounded } from '../../../http/dialect.ts'
import { pipeToReader } from '../../../http/downloads.ts'
import { answer, answerOnce } from '../../../http/once.ts'
import { actAsEndUser, type Sender } from '../auth.ts'
import { notImplemented, parsePart } from '../errors.ts'
import { toMemory, userNumber } from '../mapping.ts'
import { addRoute, type Router } from '../route.ts'
import { whole } from '../schemas.ts'

const READ = { scope: 'read' } as const
const GraphQuery = z.object({
  limit: whole(1_000, 100),
  memory_id: whole(Number.MAX_SAFE_INTEGER, 0),
  depth: whole(5, 1),
})
const ClusterQuery = z.object({ limit: whole(200, 20) })

/** What a user's memories are as a whole. */
export function addKnowledgeRoutes(router: Router): void {
  addRoute(router, 'GET', '/memory/export', READ, exportAll)

  addRoute(router, 'GET', '/memory/graph', READ, async (c, sender) => {
    const { limit, memory_id, depth } = parsePart(GraphQuery, 'query', c.req.query())
    const { ctx, scope } = await actInScope(c, sender)
    const graph = await memoryGraph(ctx, scope, { limit, depth, memoryId: memory_id === 0 ? undefined : memory_id })
    const numbers = new Map(graph.nodes.map(({ id, number }) => [id, number]))
    return c.json({ nodes: graph.nodes.map(toNode), edges: graph.edges.flatMap((link) => toEdge(link, numbers) ?? []) })
  })

  addRoute(router, 'GET', '/memory/clusters', READ, async (c, sender) => {
    const { limit } = parsePart(ClusterQuery, 'query', c.req.query())
    const { ctx, scope } = await actInScope(c, sender)
    return c.json(toClusters(await memoryClusters(ctx, scope, { limit })))
  })

  addRoute(router, 'GET', '/memory/knowledge/stats', READ, async (c, sender) => {
    const { ctx, scope } = await actInScope(c, sender)
    const stats = await memoryStats(ctx, scope)
    return c.json({
      total_memories: stats.visible,
      archived_memories: stats.archived,
      summaries: stats.summaries,
      by_type: Object.fromEntries(stats.byType.map(({ type, count }) => [type, count])),
      average_importance: rounded(stats.averageImportance),
      average_confidence: rounded(stats.averageConfidence),
      accesses: stats.accesses,
      files: stats.files,
      file_bytes: stats.fileBytes,
      text_bytes: stats.textBytes,
      oldest_at: stats.oldestAt?.toISOString() ?? null,
      newest_at: stats.newestAt?.toISOString() ?? null,
      coverage: stats.index,
    })
  })

  addRoute(router, 'POST', '/memory/refresh', { scope: 'write' }, (c, sender) =>
    answerOnce(c, async (claim) => {
      const { ctx, scope } = await actInScope(c, sender)
      await claim.begin(ctx)
      const { linksCreated, linksRemoved } = await relinkMemories(ctx, scope)
      const render = ({ memories, requeued }: RefreshReport) =>
        answer(202, {
          status: 'accepted',
          memories,
          requeued,
          links_created: linksCreated,
          links_removed: linksRemoved,
        })
      return render(await refreshMemories(ctx, claim.keep(render)))
    }),
  )

  addRoute(router, 'GET', '/memory/intelligence', READ, () => {
    throw notImplemented(
      'The gateway makes no report of themes, entities and patterns. See GET /memory/clusters and GET /memory/knowledge/stats.',
    )
  })
}

async function actInScope(c: HttpContext, sender: Sender): Promise<{ ctx: UserContext; scope: MemoryScope }> {
  const ctx = await actAsEndUser(c, sender)
  return { ctx, scope: userScope(ctx, ctx.caller.userId) }
}

/** All of a user's memories, however many: it is sent page by page. Ends the answer itself. */
async function exportAll(c: HttpContext, sender: Sender): Promise<Response> {
  const { ctx, scope } = await actInScope(c, sender)
  const pages = pagesOf(ctx, scope, {})
  // What fails at once is answered as any error.
  const first = await pages.next()
  const { outgoing } = c.env
  outgoing.writeHead(200, { 'Content-Type': 'application/json' })
  ctx.turn[Symbol.dispose]()
  const text = async function* () {
    yield `{"user_id":${userNumber(ctx.caller.userId)},"memories":[`
    let page = first
    for (let isFirst = true; !page.done; page = await pages.next(), isFirst = false) {
      yield (isFirst ? '' : ',') + page.value.map((row) => JSON.stringify(toMemory(row))).join(',')
    }
    yield `],"generated_at":${JSON.stringify(new Date().toISOString())}}`
  }
  await pipeToReader(Readable.from(text()), outgoing).catch((error: unknown) => {
    ctx.log.warn({ err: error }, 'export broken off')
  })
  return RESPONSE_ALREADY_SENT
}

function toNode(row: MemoryRow) {
  const { number: id, content: text, type: memory_type, importance, tags } = row
  return {
    id,
    text,
    memory_type,
    importance: rounded(importance),
    tags,
    tier: tierOf(row),
    created_at: row.createdAt.toISOString(),
  }
}

function toEdge(link: LinkRow, numbers: ReadonlyMap<string, number>) {
  const [from, to] = [numbers.get(link.fromId), numbers.get(link.toId)]
  if (from === undefined || to === undefined) return undefined
  return {
    id: link.number,
    from_memory_id: from,
    to_memory_id: to,
    relationship_type: link.type,
    confidence: rounded(link.confidence),
    created_at: link.createdAt.toISOString(),
  }
}

function toClusters({ clusters, complete }: ClusterReport) {
  const toCluster = ({ memories, similarity, words }: MemoryCluster) => ({
    size: memories.length,
    words,
    similarity: rounded(similarity),
    memory_ids: memories.map(({ number }) => number),
    representative: memories[0]?.content ?? null,
  })
  return { clusters: clusters.map(toCluster), total: clusters.length, complete }
}
