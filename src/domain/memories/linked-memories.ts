import type { MemoryScope, ServiceContext } from '../context.ts'
import { selectLinksOf } from './link-queries.ts'
import { type MemoryRow, selectMemories } from './queries.ts'
import type { MemoryFilter } from './schemas.ts'

/**
 * What links lead to from some memories of the scope, in either direction, in up to `depth` steps: nearest first, within a step by the
 * strength of the link. Only what is in the scope and fits the filter is among them, or leads further.
 */
export async function linkedMemories(
  ctx: ServiceContext,
  scope: MemoryScope,
  from: readonly string[],
  { depth, limit, filter }: { readonly depth: number; readonly limit: number; readonly filter: MemoryFilter },
): Promise<MemoryRow[]> {
  const { db } = ctx.services
  const seen = new Set(from)
  const reached: MemoryRow[] = []
  let front = from
  for (let step = 0; step < depth && front.length > 0 && reached.length < limit; step++) {
    const links = await selectLinksOf(db, scope, front, limit * 4)
    const ids = [...new Set(links.flatMap(({ fromId, toId }) => [fromId, toId]))].filter((id) => !seen.has(id))
    if (ids.length === 0) break
    const rows = await selectMemories(db, scope, { ...filter, ids }, { limit: ids.length, order: 'asc' })
    const byId = new Map<string, MemoryRow>(rows.map((row) => [row.id, row]))
    const next = ids.flatMap((id) => byId.get(id) ?? []).slice(0, limit - reached.length)
    for (const id of ids) seen.add(id)
    reached.push(...next)
    front = next.map(({ id }) => id)
  }
  return reached
}
