import type { Database } from '../../db/database.ts'
import type { AttachmentRow } from '../attachments/queries.ts'
import type { UserContext } from '../context.ts'
import { deleteLocked } from './delete-memories.ts'
import { selectFactIds } from './fact-queries.ts'
import type { FactSourceKind } from './fact-source.ts'
import { userScope } from './memory-scope.ts'
import { lockMemories, type MemoryRow } from './queries.ts'

export interface DeletedFacts {
  readonly facts: readonly MemoryRow[]
  /** Of their files: the caller deletes the objects after the commit. */
  readonly objects: readonly AttachmentRow[]
}

/** So many sources one statement names. */
const AT_ONCE = 5_000

/** Within a transaction that has deleted, or replaced, their sources: the memories that were drawn from these. Those of the refs `except` stay. */
export async function deleteFacts(
  tx: Database,
  ctx: UserContext,
  kind: FactSourceKind,
  sourceIds: readonly number[],
  except: readonly string[] = [],
): Promise<DeletedFacts> {
  const ids = new Set<string>()
  for (let at = 0; at < sourceIds.length; at += AT_ONCE) {
    const some = await selectFactIds(tx, ctx.caller, kind, sourceIds.slice(at, at + AT_ONCE), except)
    for (const id of some) ids.add(id)
  }
  if (ids.size === 0) return { facts: [], objects: [] }
  const facts = await lockMemories(tx, userScope(ctx, ctx.caller.userId), [...ids])
  const objects = await deleteLocked(tx, ctx, facts)
  return { facts, objects }
}
