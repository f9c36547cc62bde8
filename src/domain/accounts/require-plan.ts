import type { OperatorContext } from '../context.ts'
import { GatewayError } from '../errors.ts'

/** `invalid_request` for the name of a plan that is not configured; it names those that are. */
export function requirePlan(ctx: OperatorContext, name: string | null): void {
  const { plans } = ctx.services
  if (name === null || plans.has(name)) return
  const known = [...plans.keys()]
  const message =
    known.length > 0
      ? `there is no plan "${name}". Configured are: ${known.join(', ')}.`
      : `there is no plan "${name}", nor any other: set PLANS_FILE.`
  throw new GatewayError('invalid_request', `plan: ${message}`, {
    details: { fields: [{ path: 'plan', message }], plans: known },
  })
}
