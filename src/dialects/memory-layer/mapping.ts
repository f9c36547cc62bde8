import type { ServiceContext } from '../../domain/context.ts'
import { type MemoryDetails, memoryDetails } from '../../domain/memories/memory-details.ts'
import type { MemoryFile } from '../../domain/memories/memory-files.ts'
import type { MemoryRow } from '../../domain/memories/queries.ts'
import { rounded } from '../../http/dialect.ts'

export type ShownMemory = ReturnType<typeof toMemory>

/** Memories as the API shows them, in their order. `db`: the transaction that made them, if they are not visible yet. */
export async function showMemories(
  ctx: ServiceContext,
  memories: readonly MemoryRow[],
  db = ctx.services.db,
): Promise<ShownMemory[]> {
  return (await memoryDetails(ctx, memories, db)).map(toMemory)
}

export async function showMemory(
  ctx: ServiceContext,
  memory: MemoryRow,
  db = ctx.services.db,
): Promise<{ status: 'success'; memory: ShownMemory }> {
  const [shown] = await showMemories(ctx, [memory], db)
  if (!shown) throw new Error('One memory is shown as one.')
  return { status: 'success', memory: shown }
}

function toMemory({ memory, endUser, files }: MemoryDetails) {
  return {
    id: memory.id,
    content: memory.content,
    external_user_id: endUser,
    importance_score: rounded(memory.importance),
    memory_type: memory.type,
    is_summary: memory.isSummary,
    access_count: memory.accessCount,
    metadata: memory.metadata,
    created_at: memory.createdAt.toISOString(),
    updated_at: memory.updatedAt.toISOString(),
    files: files.map((file) => toFile(memory.id, file)),
  }
}

function toFile(memoryId: string, { id, kind, mimeType, name, size, sha256 }: MemoryFile) {
  return { id, kind, mime_type: mimeType, name, size, sha256, url: `/v1/memory/${memoryId}/files/${id}` }
}
