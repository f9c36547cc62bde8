import { randomBytes } from 'node:crypto'
import type { Plan, ServiceContext } from '../../src/domain/context.ts'
import { GatewayError } from '../../src/domain/errors.ts'
import { type Metric, meter, type QuotaState } from '../../src/domain/usage/meter.ts'
import type { Services } from '../../src/services.ts'

/** An account and a key of it that no other test has, under these plans. */
export function meteredContext(
  services: Services,
  plans: { account?: Plan; key?: Plan },
  ids: { accountId?: string; keyId?: string } = {},
): ServiceContext {
  const given = Object.entries(plans) as ['account' | 'key', Plan][]
  const word = randomBytes(8).toString('hex')
  return {
    services: { ...services, plans: new Map(given) },
    requestId: 'test',
    log: services.log,
    signal: new AbortController().signal,
    service: {
      accountId: ids.accountId ?? `acc_${word}`,
      keyId: ids.keyId ?? `key_${word}`,
      projectId: 'default',
      isProjectLocked: false,
      scopes: ['read', 'write'],
      accountPlan: plans.account ? 'account' : null,
      keyPlan: plans.key ? 'key' : null,
    },
  }
}

export type Uses = Partial<Record<Metric, number>>

/** What became of one call: the state, or the refusal. */
export async function tryMeter(ctx: ServiceContext, uses: Uses, at: Date): Promise<QuotaState | GatewayError | 'free'> {
  try {
    return (await meter(ctx, uses, at)) ?? 'free'
  } catch (error) {
    if (error instanceof GatewayError && (error.code === 'rate_limited' || error.code === 'quota_exceeded'))
      return error
    throw error
  }
}

export function wasRefused(outcome: Awaited<ReturnType<typeof tryMeter>>): outcome is GatewayError {
  return outcome instanceof GatewayError
}
