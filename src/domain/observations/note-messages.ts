import type { Database } from '../../db/database.ts'
import type { UserContext } from '../context.ts'
import type { ThreadRow } from '../threads/thread-context.ts'
import { sumUnobserved } from './message-queries.ts'
import { isActivationDue, isBufferingDue } from './thresholds.ts'

/**
 * In the transaction that stores messages of a thread, after they are inserted and the thread knows its session: has the Observer come if
 * there is enough for it. One query, by index, over the messages that nobody has observed yet.
 */
export async function noteMessages(
  tx: Database,
  ctx: Pick<UserContext, 'services' | 'caller'>,
  thread: Pick<ThreadRow, 'id'>,
): Promise<void> {
  const { observation, jobs } = ctx.services
  const unobserved = await sumUnobserved(tx, ctx.caller, thread.id)
  if (!isBufferingDue(unobserved, observation) && !isActivationDue(unobserved, observation)) return
  await jobs.enqueue(tx, { name: 'observe-thread', threadId: thread.id })
}
