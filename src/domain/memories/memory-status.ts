import type { MemoryScope, ServiceContext } from '../context.ts'
import { unknownMemory } from './memory-scope.ts'
import { type IndexState, indexStates } from './memory-stats.ts'
import { findMemory, type MemoryRow } from './queries.ts'

/** A memory by its number, and whether the backend has it. That is no reading of it: nothing is counted. `not_found` as for `getMemory`. */
export async function memoryStatus(
  ctx: ServiceContext,
  scope: MemoryScope,
  number: number,
): Promise<{ memory: MemoryRow; state: IndexState }> {
  const memory = await findMemory(ctx.services.db, scope, number)
  if (!memory) throw unknownMemory()
  return { memory, state: (await indexStates(ctx, scope, [memory])).get(memory.id) ?? 'ready' }
}
