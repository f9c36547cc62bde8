import { z } from 'zod'
import type { KeyScope } from '../../domain/accounts/authenticate-key.ts'
import { openProject } from '../../domain/accounts/authenticate-key.ts'
import type { ServiceContext, UserContext } from '../../domain/context.ts'
import { nameId } from '../../domain/text-schemas.ts'
import { asUser, endUserId } from '../../domain/users/end-users.ts'
import { bearerToken, type HttpContext, headerText, systemContext, takeTurn } from '../../http/context.ts'
import { forEndUser, identifyKey, identifyKeyHolder, type KeyHolder } from '../../http/service.ts'
import { missingEndUser, missingProject, parsePart } from './errors.ts'

const ProjectHeader = z.object({ 'X-Project-ID': nameId.optional() })
const EndUserHeader = z.object({ 'X-End-User-ID': endUserId.optional() })

/** Who sends a request: an account's key, or one of the gateway's own users. */
export interface Sender {
  readonly ctx: ServiceContext
  /** The user whose key it is; undefined for an account's key, which names an end user. */
  readonly user: KeyHolder | undefined
}

/** What a route asks of its sender. */
export interface Demand {
  readonly scope: KeyScope
  /** `optional`: the route is about the account as a whole, and without a project it is about the default one. */
  readonly project?: 'needed' | 'optional'
}

/**
 * Who sends the request, before its body is read. An account's key comes in X-API-Key or as a bearer token, a user's key as a bearer
 * token. Throws 401 for no key or a wrong one, 400 for a project that is not named, 403 for another project and a missing scope.
 */
export async function identifySender(c: HttpContext, demand: Demand): Promise<Sender> {
  const apiKey = c.req.header('x-api-key')
  const token = bearerToken(c)
  if (apiKey === undefined && token?.startsWith('uk_')) {
    const { key, user } = await identifyKeyHolder(c, token)
    return { ctx: openProject(systemContext(c), key, { projectId: projectOf(c), scope: demand.scope }), user }
  }
  const key = await identifyKey(c, apiKey ?? token)
  const projectId = projectOf(c)
  if (projectId === undefined && key.projectId === null && demand.project !== 'optional') throw missingProject()
  return { ctx: openProject(systemContext(c), key, { projectId, scope: demand.scope }), user: undefined }
}

/**
 * The sender's request for one end user, when it is their turn: the one that X-End-User-ID names, else `named`, which comes from the
 * body. 400 MISSING_END_USER_ID without either. A user's own key needs no name, and none counts.
 */
export function actAsEndUser(c: HttpContext, sender: Sender, named?: string): Promise<UserContext> {
  return actAs(c, sender, headerEndUser(c) ?? named)
}

/** As `actAsEndUser`, for one item of many: its own name counts before the header's. */
export function actAsItemUser(c: HttpContext, sender: Sender, named: string | undefined): Promise<UserContext> {
  return actAs(c, sender, named ?? headerEndUser(c))
}

async function actAs(c: HttpContext, { ctx, user }: Sender, name: string | undefined): Promise<UserContext> {
  if (user) return asUser(ctx, user, await takeTurn(c, ctx, user.id))
  if (name === undefined) throw missingEndUser()
  return forEndUser(c, ctx, name)
}

/** The end user that the request's header names. */
export function headerEndUser(c: HttpContext): string | undefined {
  const given = { 'X-End-User-ID': headerText(c, 'x-end-user-id') }
  return parsePart(EndUserHeader, 'header', given)['X-End-User-ID']
}

function projectOf(c: HttpContext): string | undefined {
  return parsePart(ProjectHeader, 'header', { 'X-Project-ID': headerText(c, 'x-project-id') })['X-Project-ID']
}
