import type { Owner, SystemContext } from '../context.ts'
import { decodeCursor, toPage } from '../cursor.ts'
import { parseInput } from '../parse-input.ts'
import { type OperationRow, selectOperations } from './queries.ts'
import { ListOperationsInput } from './schemas.ts'

export type Operation = OperationRow & {
  /** When it is tried again; null if it has ended, or is under way. */
  readonly nextTryAt: Date | null
}

/** Batches that the backend has not taken (yet), newest first: the owner's, or without one those of all users. */
export async function listOperations(ctx: SystemContext, owner: Owner | undefined, input: unknown) {
  const { status, cursor, limit } = parseInput(ListOperationsInput, input)
  const { db, jobs } = ctx.services
  const rows = await selectOperations(db, owner, status, { cursor: decodeCursor(cursor), limit: limit + 1 })
  const page = toPage(rows, limit, ({ createdMicros, batch }) => ({ sort: createdMicros, id: batch.id }))
  const times = await jobs.relayTimes([...new Set(page.items.filter(isOpen).map(({ sessionId }) => sessionId))])
  const items: Operation[] = page.items.map((row) => ({
    ...row,
    nextTryAt: isOpen(row) ? (times.get(row.sessionId) ?? null) : null,
  }))
  return { items, nextCursor: page.nextCursor }
}

function isOpen({ batch }: OperationRow): boolean {
  return batch.state !== 'failed' && batch.state !== 'rejected'
}
