import type { Log } from '../../observability/logger.ts'
import type { OperatorContext } from '../context.ts'
import { selectPlanNames } from './queries.ts'

/** Says which plans are in use and not configured: what is under them is refused. */
export async function warnOfUnknownPlans(ctx: OperatorContext & { log: Log }): Promise<void> {
  const { db, plans } = ctx.services
  const unknown = (await selectPlanNames(db)).filter((name) => !plans.has(name))
  if (unknown.length === 0) return
  ctx.log.warn(
    { plans: unknown },
    'PLANS_FILE: these plans are in use but not configured; requests of their accounts and keys are refused with 503',
  )
}
