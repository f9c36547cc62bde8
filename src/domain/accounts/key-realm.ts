import type { OperatorContext, ServiceContext } from '../context.ts'
import { GatewayError } from '../errors.ts'

/** Whose keys a request may manage: all of an account's, or those of one of its projects. */
export interface KeyRealm {
  readonly accountId: string
  readonly projectId?: string
}

/**
 * The operator manages the keys of any account; a key with the scope `admin` those of its own account, and one that works in a single
 * project those of that project. `not_found` for another account, `forbidden` without the scope.
 */
export function keyRealm(ctx: OperatorContext | ServiceContext, accountId: string): KeyRealm {
  if (!('service' in ctx)) return { accountId }
  const { service } = ctx
  if (service.accountId !== accountId) throw unknownAccount()
  if (!service.scopes.includes('admin')) {
    throw new GatewayError('forbidden', 'This API key lacks the scope "admin".', { details: { needed_scope: 'admin' } })
  }
  return service.isProjectLocked ? { accountId, projectId: service.projectId } : { accountId }
}

export function unknownAccount(): GatewayError {
  return new GatewayError('not_found', 'There is no such account.')
}

export function unknownApiKey(): GatewayError {
  return new GatewayError('not_found', 'There is no such API key.')
}
