import { inTransaction } from '../../db/database.ts'
import { deleteObjects } from '../attachments/delete-objects.ts'
import type { AttachmentRow } from '../attachments/queries.ts'
import { type AlsoStore, type MemoryScope, nothingElse, type ServiceContext } from '../context.ts'
import type { Cursor } from '../cursor.ts'
import { deleteLocked } from './delete-memories.ts'
import { MOST_NAMED } from './prune-memories.ts'
import { countMemories, lockMatching, type MemoryRow, selectMemories } from './queries.ts'
import type { MemoryFilter } from './schemas.ts'

export interface ForgetReport {
  readonly dryRun: boolean
  /** In sight at the beginning. */
  readonly matched: number
  readonly deleted: number
  /** Of those that went, or would go: the first 1,000. */
  readonly memories: readonly MemoryRow[]
  /** Of all of those, however many, lowest first: the ids of APIs that want a number. */
  readonly numbers: readonly number[]
}

const PAGE = 100

/**
 * Deletes for good all memories that the filter finds, in pages, each in a transaction of its own. One that is stored meanwhile may stay.
 * `also` is done at the end.
 */
export async function forgetMemories(
  ctx: ServiceContext,
  scope: MemoryScope,
  { filter, dryRun }: { readonly filter: MemoryFilter; readonly dryRun: boolean },
  also: AlsoStore<ForgetReport> = nothingElse,
): Promise<ForgetReport> {
  const { db } = ctx.services
  const matched = await countMemories(db, scope, filter)
  const memories: MemoryRow[] = []
  const numbers: number[] = []
  let deleted = 0
  while (!dryRun) {
    ctx.signal.throwIfAborted()
    const page = await selectMemories(db, scope, filter, { limit: PAGE, order: 'asc' })
    if (page.length === 0) break
    const ids = page.map(({ id }) => id)
    let objects: readonly AttachmentRow[] = []
    const gone = await inTransaction(db, async (tx) => {
      const found = await lockMatching(tx, scope, { ...filter, ids })
      objects = await deleteLocked(tx, ctx, found)
      return found
    })
    await deleteObjects(ctx, objects)
    deleted += gone.length
    numbers.push(...gone.map(({ number }) => number))
    memories.push(...gone.slice(0, MOST_NAMED - memories.length))
  }
  if (dryRun) {
    for await (const page of pagesOf(ctx, scope, filter)) {
      numbers.push(...page.map(({ number }) => number))
      memories.push(...page.slice(0, MOST_NAMED - memories.length))
    }
  }
  const done = { dryRun, matched, deleted, memories, numbers: numbers.toSorted((one, other) => one - other) }
  await inTransaction(db, (tx) => also(tx, done))
  return done
}

/** All that the filter finds, oldest first, in pages. */
export async function* pagesOf(
  ctx: ServiceContext,
  scope: MemoryScope,
  filter: MemoryFilter,
): AsyncGenerator<readonly MemoryRow[]> {
  let cursor: Cursor | undefined
  for (;;) {
    ctx.signal.throwIfAborted()
    const page = await selectMemories(ctx.services.db, scope, filter, { limit: PAGE, order: 'asc', cursor })
    if (page.length > 0) yield page
    const last = page.at(-1)
    if (page.length < PAGE || !last) return
    cursor = { sort: last.createdMicros, id: last.id }
  }
}
