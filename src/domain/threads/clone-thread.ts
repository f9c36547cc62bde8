import { type AlsoStore, nothingElse } from '../context.ts'
import type { CloneThreadInput } from './schemas.ts'
import type { ThreadContext, ThreadRow } from './thread-context.ts'

export interface ClonedThread {
  readonly thread: ThreadRow
  /** Our ids of the copies, oldest first. */
  readonly messageIds: readonly string[]
}

/**
 * Copies a thread and its messages, or those that the options leave, into a new one of the same resource. Files are shared, not copied.
 * `conflict` if there is a thread of the new id, `not_found` if the source is gone.
 */
export type CloneThread = (
  ctx: ThreadContext,
  source: ThreadRow,
  input: CloneThreadInput,
  also?: AlsoStore<ClonedThread>,
) => Promise<ClonedThread>
export const cloneThread: CloneThread = async (_ctx, _source, _input, _also = nothingElse) => {
  throw new Error('Not there yet.')
}
