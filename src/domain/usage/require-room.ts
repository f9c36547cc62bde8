import type { Database } from '../../db/database.ts'
import type { ServiceContext } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { planNamed } from './limits.ts'
import { countVisible, lockRoom, newestMemoryNumber } from './queries.ts'

/**
 * Within the transaction that stores them: whether the account may keep `count` memories more. `quota_exceeded` if not, `unavailable` if the plan of
 * account or key is not configured. Adds of an account under such a plan come one after the other, so that the bound is exact. Memories belong to
 * accounts: of a key's plan and its account's the smaller bound holds, for all that the account keeps.
 */
export async function requireRoom(tx: Database, ctx: ServiceContext, count: number): Promise<void> {
  const { accountId, accountPlan, keyPlan } = ctx.service
  const bounds = [planNamed(ctx, accountPlan), planNamed(ctx, keyPlan)].flatMap(({ memories }) => memories ?? [])
  if (bounds.length === 0 || count === 0) return
  const limit = Math.min(...bounds)
  const { usage } = ctx.services
  await lockRoom(tx, accountId)
  const newest = await newestMemoryNumber(tx)
  // Each new memory of any account takes a number: so many may have come since the account's were counted.
  const atMost = usage.memoriesAtMost(accountId, newest)
  if (atMost !== undefined && atMost + count <= limit) return
  const kept = await countVisible(tx, accountId, limit)
  usage.noteMemories(accountId, kept, newest)
  if (kept + count <= limit) return
  const remaining = Math.max(0, limit - kept)
  const more = remaining > 0 ? ` ${remaining} more have room, and this request brings ${count}.` : ''
  throw new GatewayError(
    'quota_exceeded',
    `This account may keep ${limit} memories.${more} Delete or archive some, or ask for another plan.`,
    { details: { metric: 'memories', limit, remaining, reset_at: null } },
  )
}
