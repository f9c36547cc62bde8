import type { AttachmentRow } from '../attachments/queries.ts'
import { refuseUnknownMemory } from '../audit/refuse-unknown.ts'
import type { MemoryScope, ServiceContext } from '../context.ts'
import { findMemory } from './queries.ts'
import { selectFiles } from './stats-queries.ts'

export type MemoryFile = Pick<AttachmentRow, 'id' | 'uri' | 'name' | 'kind' | 'mimeType' | 'size' | 'sha256'>

/** By id of each of these memories: its files, in the order in which they came. `db`: the transaction that stores them, if they are not visible yet. */
export async function memoryFiles(
  ctx: ServiceContext,
  scope: MemoryScope,
  memories: readonly { readonly id: string }[],
  db = ctx.services.db,
): Promise<ReadonlyMap<string, readonly MemoryFile[]>> {
  const ids = memories.map(({ id }) => id)
  const files = Map.groupBy(await selectFiles(db, scope, ids), ({ memoryId }) => memoryId)
  return new Map(ids.map((id) => [id, (files.get(id) ?? []).map(({ file }) => file)]))
}

/** A file of a memory that is in sight. `not_found` if it has no such file. */
export async function findMemoryFile(
  ctx: ServiceContext,
  scope: MemoryScope,
  by: string | number,
  fileId: string,
): Promise<AttachmentRow> {
  const memory = await findMemory(ctx.services.db, scope, by)
  const files = memory ? await selectFiles(ctx.services.db, scope, [memory.id]) : []
  const found = files.find(({ file }) => file.id === fileId)
  if (!found) throw refuseUnknownMemory(ctx, scope, by)
  return found.file
}
