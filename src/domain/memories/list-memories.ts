import type { MemoryScope, ServiceContext } from '../context.ts'
import { decodeCursor, toPage } from '../cursor.ts'
import { countMemories, type MemoryRow, selectMemories } from './queries.ts'
import type { MemoryFilter } from './schemas.ts'

export interface MemoryPageRequest {
  /** 1..200 */
  readonly limit: number
  readonly order: 'asc' | 'desc'
  readonly cursor?: string | undefined
  readonly offset?: number | undefined
}

/** By creation. A page that begins at a cursor repeats and leaves out nothing, whatever is added meanwhile; an offset has no such promise. */
export async function listMemories(
  ctx: ServiceContext,
  scope: MemoryScope,
  filter: MemoryFilter,
  page: MemoryPageRequest,
): Promise<{ items: readonly MemoryRow[]; nextCursor: string | null }> {
  const { limit, order, offset } = page
  const cursor = decodeCursor(page.cursor)
  const rows = await selectMemories(ctx.services.db, scope, filter, { limit: limit + 1, order, cursor, offset })
  return toPage(rows, limit, (last) => ({ sort: last.createdMicros, id: last.id }))
}

export function countMatching(ctx: ServiceContext, scope: MemoryScope, filter: MemoryFilter): Promise<number> {
  return countMemories(ctx.services.db, scope, filter)
}
