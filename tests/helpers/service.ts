import { authenticateKey, openProject } from '../../src/domain/accounts/authenticate-key.ts'
import { createAccount } from '../../src/domain/accounts/create-account.ts'
import { createApiKey } from '../../src/domain/accounts/create-api-key.ts'
import type { ServiceContext, SystemContext, UserContext } from '../../src/domain/context.ts'
import { asUser, ensureEndUser } from '../../src/domain/users/end-users.ts'
import type { TestGateway } from './gateway.ts'

export interface TestAccount {
  readonly accountId: string
  readonly apiKey: string
}

export function systemContextOf({ services }: Pick<TestGateway, 'services'>): SystemContext {
  return { services, requestId: 'test', log: services.log, signal: new AbortController().signal }
}

/** An account with one key, straight from the domain. */
export async function makeAccount(
  gateway: Pick<TestGateway, 'services'>,
  key: Record<string, unknown> = {},
): Promise<TestAccount> {
  const ctx = systemContextOf(gateway)
  const { plan, ...keyFields } = key
  const account = await createAccount(ctx, { name: 'test', ...(plan !== undefined && { plan }) })
  const { secret } = await createApiKey(ctx, account.id, { name: 'test', ...keyFields })
  return { accountId: account.id, apiKey: secret }
}

export async function serviceContextOf(
  gateway: TestGateway,
  apiKey: string,
  projectId?: string,
): Promise<ServiceContext & { turn: Disposable }> {
  const ctx = systemContextOf(gateway)
  const key = await authenticateKey(ctx, apiKey)
  return { ...openProject(ctx, key, { projectId, scope: 'read' }), turn: { [Symbol.dispose]() {} } }
}

export async function endUserContext(
  gateway: TestGateway,
  apiKey: string,
  endUser?: string,
  projectId?: string,
): Promise<UserContext> {
  const ctx = await serviceContextOf(gateway, apiKey, projectId)
  return asUser(ctx, await ensureEndUser(ctx, endUser), ctx.turn)
}
