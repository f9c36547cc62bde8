import { refuseUnknownMemory } from '../audit/refuse-unknown.ts'
import type { MemoryScope, ServiceContext } from '../context.ts'
import { type LinkRow, selectLinksOf } from './link-queries.ts'
import { findMemory, type MemoryRow, selectMemories } from './queries.ts'

export interface GraphInput {
  /** So many memories, 1..1000. */
  readonly limit: number
  /** Begin with this one (id or number), and go as far as `depth` links from it; left out: the newest memories, and the links among them. */
  readonly memoryId?: string | number | undefined
  /** 1..5; 1 unless said. */
  readonly depth?: number | undefined
}

export interface MemoryGraph {
  readonly nodes: readonly MemoryRow[]
  /** Between two of the nodes. */
  readonly edges: readonly LinkRow[]
}

/** So many links are followed from the memories of one step. */
const LINKS_PER_STEP = 5_000

/** Memories and how they hang together. `not_found` for a memory that is not in sight. */
export async function memoryGraph(ctx: ServiceContext, scope: MemoryScope, input: GraphInput): Promise<MemoryGraph> {
  const { db } = ctx.services
  if (input.memoryId === undefined) {
    const nodes = await selectMemories(db, scope, {}, { limit: input.limit, order: 'desc' })
    return withEdges(ctx, scope, nodes)
  }
  const start = await findMemory(db, scope, input.memoryId)
  if (!start) throw refuseUnknownMemory(ctx, scope, input.memoryId)
  const nodes = new Map([[start.id, start]])
  let frontier: readonly string[] = [start.id]
  for (let step = 0; step < (input.depth ?? 1) && frontier.length > 0; step++) {
    const links = await selectLinksOf(db, scope, frontier, LINKS_PER_STEP)
    const next = new Set(links.flatMap(({ fromId, toId }) => [fromId, toId]).filter((id) => !nodes.has(id)))
    const room = input.limit - nodes.size
    if (room <= 0) break
    const found = await selectMemories(db, scope, { ids: [...next].slice(0, room) }, { limit: room, order: 'desc' })
    for (const memory of found) nodes.set(memory.id, memory)
    frontier = found.map(({ id }) => id)
  }
  return withEdges(ctx, scope, [...nodes.values()])
}

async function withEdges(ctx: ServiceContext, scope: MemoryScope, nodes: readonly MemoryRow[]): Promise<MemoryGraph> {
  const ids = new Set(nodes.map(({ id }) => id))
  const links = await selectLinksOf(ctx.services.db, scope, [...ids], LINKS_PER_STEP)
  return { nodes, edges: links.filter(({ fromId, toId }) => ids.has(fromId) && ids.has(toId)) }
}
