import { refuseUnknownMemory } from '../audit/refuse-unknown.ts'
import type { MemoryScope, ServiceContext } from '../context.ts'
import { findMemory, type MemoryRow } from './queries.ts'
import { touchInBackground } from './touch-in-background.ts'

/** A memory by its id, or its number. `not_found` for one that is not in the scope, archived or expired. */
export async function getMemory(ctx: ServiceContext, scope: MemoryScope, by: string | number): Promise<MemoryRow> {
  const found = await findMemory(ctx.services.db, scope, by)
  if (!found) throw refuseUnknownMemory(ctx, scope, by)
  touchInBackground(ctx, scope, [found.id])
  return found
}
