import { z } from 'zod'
import { type KeyScope, openProject } from '../domain/accounts/authenticate-key.ts'
import { GatewayError } from '../domain/errors.ts'
import { parseInput } from '../domain/parse-input.ts'
import { looksLikeKey } from '../domain/secret-key.ts'
import { nameId, threadId } from '../domain/text-schemas.ts'
import { unknownThread } from '../domain/threads/open-thread.ts'
import type { RealmContext, ThreadContext } from '../domain/threads/thread-context.ts'
import type { Metric } from '../domain/usage/meter.ts'
import type { RateScope } from '../domain/usage/rate-windows.ts'
import { asUser, endUserId, knownEndUser } from '../domain/users/end-users.ts'
import { bearerToken, type HttpContext, headerText, systemContext, takeTurn } from './context.ts'
import { countInPlans, limitRate } from './rate-limits.ts'
import { forEndUser, identifyKey, identifyKeyHolder, type KeyHolder } from './service.ts'

/** The header of the gateway's key where `Authorization` or `x-api-key` holds the caller's own key of a model provider. */
const OWN_HEADER = 'x-memory-gateway-authorization'

/** The caller's own provider key: for the one call that is passed on; never stored, never logged. */
export interface PassThrough {
  readonly header: 'authorization' | 'x-api-key'
  /** As the header had it. */
  readonly value: string
}

/** Who sends a request of the chat proxy or about its threads. */
export interface GatewaySender {
  readonly ctx: RealmContext
  /** The native user whose key it is; undefined for an account's key, which names a resource. */
  readonly user: KeyHolder | undefined
  readonly passThrough: PassThrough | undefined
}

/** What a route asks of its sender, and as what it counts. */
export interface GatewayDemand {
  readonly scope: KeyScope
  readonly rate: RateScope
  /** What else it uses of its account's plan. */
  readonly uses?: Partial<Record<Metric, number>>
}

const ThreadHeaders = z.object({
  'x-thread-id': threadId.optional(),
  'x-resource-id': endUserId.optional(),
})
const ProjectHeader = z.object({ 'x-project-id': nameId.optional() })

/**
 * Who sends the request, by its headers alone, before its body is read. It is counted as a request of their key, also where it is refused from then on. The
 * gateway's key comes in `X-Memory-Gateway-Authorization: Bearer`, or, without that, in `Authorization: Bearer` or `x-api-key`.
 * `unauthenticated` for no key or a wrong one, `forbidden` for another project than the key's and for a missing scope, `invalid_request`
 * for a project that cannot be, `rate_limited` and `quota_exceeded` beyond a limit. Call it once a request.
 */
export async function identifyCaller(c: HttpContext, { scope, rate, uses }: GatewayDemand): Promise<GatewaySender> {
  const { secret, passThrough } = shownKeys(c)
  const { key, user } = secret?.startsWith('uk_')
    ? await identifyKeyHolder(c, secret)
    : { key: await identifyKey(c, secret), user: undefined }
  const counted = limitRate(c, key.keyId, rate)
  const projectId = parseInput(ProjectHeader, { 'x-project-id': headerText(c, 'x-project-id') })['x-project-id']
  const ctx = openProject(systemContext(c), key, { projectId, scope })
  await countInPlans(c, ctx, counted, uses)
  const { accountId, projectId: project } = ctx.service
  const realm = user === undefined ? `project:${accountId}:${project}` : `user:${user.id}`
  return { ctx: { ...ctx, realm }, user, passThrough }
}

/**
 * The request for one resource, when it is its turn: for an account's key the end user of that name, made at first use; a user's own key
 * must name that user, else the thread is `not_found`.
 */
export async function forResource(c: HttpContext, sender: GatewaySender, resourceId: string): Promise<ThreadContext> {
  const { ctx, user } = sender
  const { realm } = ctx
  if (user === undefined) return { ...(await forEndUser(c, ctx, resourceId)), realm }
  if (resourceId !== user.externalId) throw unknownThread()
  return { ...asUser(ctx, user, await takeTurn(c, ctx, user.id)), realm }
}

/** Our id of the user that a resource is, if they were made already and the key may act for them: for what only looks. */
export async function knownResource(sender: GatewaySender, resourceId: string): Promise<string | undefined> {
  const { ctx, user } = sender
  if (user === undefined) return (await knownEndUser(ctx, resourceId))?.id
  return resourceId === user.externalId ? user.id : undefined
}

/** The thread, and the resource it is of, that the headers name. `invalid_request` for a thread without a resource. */
export function threadHeaders(c: HttpContext): { threadId: string; resourceId: string } | undefined {
  const given = parseInput(ThreadHeaders, {
    'x-thread-id': headerText(c, 'x-thread-id'),
    'x-resource-id': headerText(c, 'x-resource-id'),
  })
  const thread = given['x-thread-id']
  const resourceId = given['x-resource-id']
  if (thread === undefined) return undefined
  if (resourceId !== undefined) return { threadId: thread, resourceId }
  const message = 'is needed with x-thread-id: it names the user or entity that the thread belongs to.'
  throw new GatewayError('invalid_request', `x-resource-id ${message}`, {
    details: { fields: [{ path: 'x-resource-id', message }] },
  })
}

/** The resource that the header names. */
export function resourceHeader(c: HttpContext): string | undefined {
  return parseInput(ThreadHeaders, { 'x-resource-id': headerText(c, 'x-resource-id') })['x-resource-id']
}

function shownKeys(c: HttpContext): { secret: string | undefined; passThrough: PassThrough | undefined } {
  const own = c.req.header(OWN_HEADER)
  // One that is there and has no key in it counts too: what is in the other headers was not meant for the gateway.
  if (own !== undefined) return { secret: /^Bearer +(\S+)$/i.exec(own)?.[1], passThrough: providerKey(c) }
  const [token, apiKey] = [bearerToken(c), c.req.header('x-api-key')]
  // A client may fill both; what is not ours is then somebody else's.
  const secret = [token, apiKey].find(isOurs) ?? token ?? apiKey
  return { secret, passThrough: undefined }
}

/** A key of the gateway's is never passed on, whichever header has it. */
function providerKey(c: HttpContext): PassThrough | undefined {
  for (const header of ['authorization', 'x-api-key'] as const) {
    const value = c.req.header(header)?.trim()
    if (value && !hasOurKey(value)) return { header, value }
  }
  return undefined
}

/** Whether there is a key of the gateway's in a header, whatever else is in it. */
export function hasOurKey(value: string): boolean {
  return value.includes('_') && value.split(/[^\w-]+/).some(isOurs)
}

function isOurs(value: string | undefined): boolean {
  return value !== undefined && (looksLikeKey('mgk_live_', value) || looksLikeKey('uk_', value))
}
