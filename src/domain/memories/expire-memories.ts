import { inTransaction } from '../../db/database.ts'
import { deleteObjects } from '../attachments/delete-objects.ts'
import { insertAudit } from '../audit/queries.ts'
import type { SystemContext } from '../context.ts'
import { eraseMemories } from '../erasure/erase-memories.ts'
import { emitDeleted } from '../webhooks/memory-events.ts'
import { lockExpired } from './upkeep-queries.ts'

const PAGE = 100

/**
 * Deletes for good the memories whose time is over, of all users; they are out of sight since then. Resolves with how many there were.
 * Two at the same time share the work.
 */
export async function expireMemories(ctx: SystemContext): Promise<number> {
  let expired = 0
  while (!ctx.signal.aborted) {
    const { count, objects } = await inTransaction(ctx.services.db, async (tx) => {
      const found = await lockExpired(tx, PAGE)
      await emitDeleted(tx, ctx, found, 'expired')
      const removed = await eraseMemories(tx, ctx, found)
      for (const { id, userId } of found) {
        const actor = { userId, keyId: null, requestId: ctx.requestId }
        await insertAudit(tx, { ...actor, action: 'memory.delete', target: id, result: 'done' })
      }
      return { count: found.length, objects: removed }
    })
    await deleteObjects(ctx, objects)
    expired += count
    if (count < PAGE) break
  }
  if (expired > 0) ctx.log.info({ expired }, 'memories whose time is over deleted')
  return expired
}
