import type { KeyScope } from '../domain/accounts/authenticate-key.ts'
import { type AuthenticatedKey, authenticateKey, openProject } from '../domain/accounts/authenticate-key.ts'
import type { MemoryScope, ServiceContext, UserContext } from '../domain/context.ts'
import { projectScope, userScope } from '../domain/memories/memory-scope.ts'
import { authenticateUser } from '../domain/users/authenticate-user.ts'
import { asUser, ensureEndUser, knownEndUser } from '../domain/users/end-users.ts'
import { step } from '../observability/steps.ts'
import { type HttpContext, systemContext, takeTurn } from './context.ts'

/** A request of an application, when it is its turn. */
export type AdmittedContext = ServiceContext & { readonly turn: Disposable }

/** Whose key it is: looked up once a request. */
export async function identifyKey(c: HttpContext, secret: string | undefined): Promise<AuthenticatedKey> {
  const known = c.get('apiKey')
  if (known && known.secret === secret) return known.key
  const key = await authenticateKey(systemContext(c), secret)
  step('authenticated')
  c.set('apiKey', { secret, key })
  return key
}

/** The request in the project that its key, or a header, names. */
export async function openService(
  c: HttpContext,
  secret: string | undefined,
  wanted: { projectId?: string | undefined; scope: KeyScope },
): Promise<ServiceContext> {
  const key = await identifyKey(c, secret)
  return openProject(systemContext(c), key, { projectId: wanted.projectId, scope: wanted.scope })
}

/** What the key of one of the gateway's own users may do. */
const USER_SCOPES: readonly KeyScope[] = ['read', 'write']

/** A native user, whose own key a request came with. */
export interface KeyHolder {
  readonly id: string
  /** Their `user_id`. */
  readonly externalId: string
}

/** Whose key it is, if it is one of the gateway's own users': they act for themselves, in any project of theirs. */
export async function identifyKeyHolder(
  c: HttpContext,
  userKey: string,
): Promise<{ key: AuthenticatedKey; user: KeyHolder }> {
  const system = systemContext(c)
  const caller = await authenticateUser(system, { userKey, userId: undefined })
  step('authenticated')
  const { accountId, userId, externalUserId, keyId } = caller
  c.set('userId', userId)
  c.set('identity', { userKey, ctx: { ...system, caller } })
  const key = { accountId, keyId, projectId: null, scopes: USER_SCOPES, accountPlan: null, keyPlan: null }
  return { key, user: { id: userId, externalId: externalUserId } }
}

/** The request for one end user (undefined: the owner of what is nobody's), when it is their turn. They are made at first use. */
export async function forEndUser(
  c: HttpContext,
  ctx: ServiceContext,
  externalId: string | undefined,
): Promise<UserContext> {
  const user = await ensureEndUser(ctx, externalId)
  c.set('userId', user.id)
  return asUser(ctx, user, await takeTurn(c, ctx, user.id))
}

/** The request for all users of the project, when it is the key's turn. */
export async function forProject(c: HttpContext, ctx: ServiceContext): Promise<AdmittedContext> {
  return { ...ctx, turn: await takeTurn(c, ctx, ctx.service.keyId) }
}

/** Whose memories a request is about: one end user's, those that belong to none, or all of the project. */
export type Whose = { readonly endUser: string } | 'nobody' | 'all'

/** The request for memories that are there already, and which those may be. It makes no user: an unknown one has none. */
export async function forMemoriesOf(
  c: HttpContext,
  ctx: ServiceContext,
  whose: Whose,
): Promise<{ ctx: AdmittedContext; scope: MemoryScope }> {
  if (whose === 'all') return { ctx: await forProject(c, ctx), scope: projectScope(ctx) }
  const user = await knownEndUser(ctx, whose === 'nobody' ? undefined : whose.endUser)
  if (user) c.set('userId', user.id)
  const turn = await takeTurn(c, ctx, user?.id ?? ctx.service.keyId)
  // No user has an empty id.
  return { ctx: { ...ctx, turn }, scope: userScope(ctx, user?.id ?? '') }
}
