import { type Database, inTransaction } from '../../db/database.ts'
import { deleteObjects } from '../attachments/delete-objects.ts'
import type { AlsoStore, UserContext } from '../context.ts'
import type { DeletedFacts } from './delete-facts.ts'
import type { MemoryRow } from './queries.ts'

/** Things that were deleted, and the memories that were drawn from them. */
export interface DeletedWithFacts {
  /** Of the things that were there, ascending. */
  readonly ids: readonly number[]
  /** The memories that went with them. */
  readonly facts: readonly MemoryRow[]
}

export interface DeletedPage extends DeletedFacts {
  readonly ids: readonly number[]
  readonly isLast: boolean
}

/**
 * Deletes page by page, each in a transaction of its own, and the objects of a page once it is committed. If it is interrupted, doing it
 * again deletes the rest. `also` is called with the last page, and told of all.
 */
export async function deleteWithFacts(
  ctx: UserContext,
  deletePage: (tx: Database) => Promise<DeletedPage>,
  also: AlsoStore<DeletedWithFacts>,
): Promise<DeletedWithFacts> {
  let before: DeletedWithFacts = { ids: [], facts: [] }
  for (;;) {
    const page = await inTransaction(ctx.services.db, async (tx) => {
      const { isLast, ids, facts, objects } = await deletePage(tx)
      const deleted = {
        ids: [...before.ids, ...ids].toSorted((one, other) => one - other),
        facts: [...before.facts, ...facts],
      }
      if (isLast) await also(tx, deleted)
      return { isLast, deleted, objects }
    })
    await deleteObjects(ctx, page.objects)
    if (page.isLast) return page.deleted
    before = page.deleted
  }
}
