import type { SystemContext } from '../context.ts'
import { selectObservedThread } from './queries.ts'

/** System scope: does what is due of a thread's observations. False if another process is at it: to be looked at again. */
export async function observeThread(ctx: SystemContext, threadId: string): Promise<boolean> {
  const thread = await selectObservedThread(ctx.services.db, threadId)
  return thread === undefined
}
