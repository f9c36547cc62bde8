import { type KeyScope, keyScopes } from '../../db/schema/api-keys.ts'
import type { ServiceCaller, ServiceContext, SystemContext } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { hashKey, looksLikeKey } from '../secret-key.ts'
import { findApiKey, touchApiKey } from './queries.ts'

export { type KeyScope, keyScopes }

export const DEFAULT_PROJECT = 'default'

export type AuthenticatedKey = Omit<ServiceCaller, 'projectId' | 'isProjectLocked'> & {
  /** The only project that the key works in; null: any. */
  readonly projectId: string | null
}

/** Whose key this is. `unauthenticated` for none, and alike for one that is wrong, revoked or expired. */
export async function authenticateKey(ctx: SystemContext, secret: string | undefined): Promise<AuthenticatedKey> {
  const found =
    secret !== undefined && looksLikeKey('mgk_live_', secret)
      ? await findApiKey(ctx.services.db, hashKey(secret))
      : undefined
  if (!found) {
    ctx.services.events.authenticationFailed()
    throw new GatewayError('unauthenticated', 'The API key is missing or not valid.')
  }
  const { isStale, keptUntil: _, ...key } = found
  if (isStale) await touchApiKey(ctx.services.db, key.keyId)
  return key
}

/**
 * The request's context in a project: the key's own, or the one it names. `forbidden` for another project than the key's, and for a key
 * that may not do what is asked.
 */
export function openProject(
  ctx: SystemContext,
  key: AuthenticatedKey,
  wanted: { readonly projectId: string | undefined; readonly scope: KeyScope },
): ServiceContext {
  if (key.projectId !== null && wanted.projectId !== undefined && wanted.projectId !== key.projectId) {
    throw new GatewayError('forbidden', 'This API key belongs to another project.')
  }
  if (!key.scopes.includes('admin') && !key.scopes.includes(wanted.scope)) {
    throw new GatewayError('forbidden', `This API key lacks the scope "${wanted.scope}".`, {
      details: { needed_scope: wanted.scope },
    })
  }
  const projectId = key.projectId ?? wanted.projectId ?? DEFAULT_PROJECT
  return { ...ctx, service: { ...key, projectId, isProjectLocked: key.projectId !== null } }
}
