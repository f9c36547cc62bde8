import type { ServiceContext } from '../context.ts'
import { endUserNames } from '../users/end-users.ts'
import { type MemoryFile, memoryFiles } from './memory-files.ts'
import { projectScope } from './memory-scope.ts'
import type { MemoryRow } from './queries.ts'

/** A memory with what is kept elsewhere of it. */
export interface MemoryDetails {
  readonly memory: MemoryRow
  /** The application's own name for whose it is; null: nobody's. */
  readonly endUser: string | null
  readonly files: readonly MemoryFile[]
}

/** The details of memories of the project, in their order. `db`: the transaction that made them, if they are not visible yet. */
export async function memoryDetails(
  ctx: ServiceContext,
  memories: readonly MemoryRow[],
  db = ctx.services.db,
): Promise<MemoryDetails[]> {
  const userIds = memories.map(({ userId }) => userId)
  const names = await endUserNames(ctx, userIds, db)
  const files = await memoryFiles(ctx, projectScope(ctx), memories, db)
  return memories.map((memory) => ({
    memory,
    endUser: names.get(memory.userId) ?? null,
    files: files.get(memory.id) ?? [],
  }))
}
