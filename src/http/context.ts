import { timingSafeEqual } from 'node:crypto'
import type { HttpBindings } from '@hono/node-server'
import type { Context as HonoContext, Next } from 'hono'
import type { Config } from '../config/config.ts'
import type { AuthenticatedKey } from '../domain/accounts/authenticate-key.ts'
import type { Context, DomainServices, SystemContext } from '../domain/context.ts'
import { GatewayError } from '../domain/errors.ts'
import { hashKey } from '../domain/secret-key.ts'
import { authenticateUser } from '../domain/users/authenticate-user.ts'
import type { Credentials } from '../domain/users/schemas.ts'
import type { Log } from '../observability/logger.ts'
import type { Metrics } from '../observability/metrics.ts'
import { step } from '../observability/steps.ts'

/** What the surfaces need of the process. */
export interface HttpServices extends DomainServices {
  readonly config: Config
  readonly log: Log
  readonly metrics: Metrics
  /** SHA-256 of the operator's key: the one that is set, or else the one that the first start made. */
  readonly adminKeyHash: string
}

export interface HttpEnv {
  Bindings: HttpBindings
  Variables: {
    services: HttpServices
    requestId: string
    log: Log
    /** Aborts when the client is gone. */
    signal: AbortSignal
    /** For the log line: how the request failed, and whose it was. */
    errorCode: string
    userId: string
    /** For the log line: which provider a chat went to, and when it began its answer. */
    upstream: { readonly provider: string; readonly upstreamStatus: number; readonly upstreamMs: number }
    /** Our ids of what the request made or touched. */
    ids: Readonly<Record<string, string | readonly string[]>>
    /** What a JSON body holds while it is in memory. */
    body: { readonly bytes: number; readonly held: DisposableStack }
    /** Whose the request is, once a key has told, and which key that was. */
    identity: { readonly userKey: string | undefined; readonly ctx: IdentifiedContext }
    ctx: Context
    /** The account's key that the request came with. */
    apiKey: { readonly secret: string | undefined; readonly key: AuthenticatedKey }
  }
}

/** As long as the request's body is still to be read, its user has no turn. */
export type IdentifiedContext = Omit<Context, 'turn'>

export type HttpContext = HonoContext<HttpEnv>

export function systemContext(c: HttpContext): SystemContext {
  return { services: c.get('services'), requestId: c.get('requestId'), log: c.get('log'), signal: c.get('signal') }
}

/** The native API takes user_id and user_key as fields of the request, or in the headers. */
export interface CredentialFields {
  readonly user_id?: string | undefined
  readonly user_key?: string | undefined
}

export function bearerToken(c: HttpContext): string | undefined {
  return /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1]
}

/** A byte order mark is a character like any other: what differs by one is another name. */
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Node reads a header as Latin-1; clients send UTF-8, as they do in a body. Empty is as good as none. `invalid_request` for bytes that are
 * no UTF-8: read in another way they might be the name of somebody else.
 */
export function headerText(c: HttpContext, name: string): string | undefined {
  // The spaces around it are gone already. What `trim` takes beyond those may be the last byte of a letter.
  const value = c.req.header(name)
  if (!value) return undefined
  try {
    return UTF8.decode(Buffer.from(value, 'latin1'))
  } catch {
    throw new GatewayError('invalid_request', `${name} must be UTF-8.`)
  }
}

/**
 * The header's key counts before the fields', and theirs before the query's. Whichever user ids are given, all must be the
 * key's.
 */
export function credentialsOf(c: HttpContext, fields: CredentialFields): Credentials {
  const names = new Set([fields.user_id, c.req.query('user_id'), c.req.header('x-user-id')])
  names.delete(undefined)
  if (names.size > 1) {
    throw new GatewayError('unauthenticated', 'X-User-Id and user_id name different users.')
  }
  return { userKey: bearerToken(c) ?? fields.user_key ?? c.req.query('user_key'), userId: [...names][0] }
}

/** The request's context for domain verbs, once its key has told whose it is, and when it is its user's turn. */
export async function authenticate(c: HttpContext, fields: CredentialFields): Promise<Context> {
  const identified = await identify(c, fields)
  const known = c.get('ctx')
  if (known?.caller.userId === identified.caller.userId) return known
  const ctx = { ...identified, turn: await takeTurn(c, identified, identified.caller.userId) }
  c.set('ctx', ctx)
  return ctx
}

/** Whose the request is, while its body is still to be read. A key is looked up once a request. */
export async function identify(c: HttpContext, fields: CredentialFields): Promise<IdentifiedContext> {
  const { userKey, userId } = credentialsOf(c, fields)
  const identity = c.get('identity')
  if (identity && identity.userKey === userKey && isOf(identity.ctx, userId)) {
    return identity.ctx
  }
  const system = systemContext(c)
  const caller = await authenticateUser(system, { userKey, userId })
  step('authenticated')
  const ctx = { ...system, caller }
  c.set('userId', caller.userId)
  c.set('identity', { userKey, ctx })
  return ctx
}

/** `whose`: a user, or a key. The turn ends with the request at the latest. */
export async function takeTurn(
  c: HttpContext,
  { services, signal }: SystemContext,
  whose: string,
): Promise<Disposable> {
  const turn = await services.turns.take(whose, signal)
  const { outgoing } = c.env
  if (outgoing.closed) turn[Symbol.dispose]()
  else outgoing.once('close', () => turn[Symbol.dispose]())
  return turn
}

function isOf(ctx: IdentifiedContext, userId: string | undefined): boolean {
  return userId === undefined || userId === ctx.caller.externalUserId
}

/** Before the body is read: whose the request is, if its headers or query have a key. `unauthenticated` for a wrong one. */
export async function authenticateEarly(c: HttpContext): Promise<IdentifiedContext | undefined> {
  return hasEarlyKey(c) ? identify(c, {}) : undefined
}

/** Whether a key comes before the body. */
export function hasEarlyKey(c: HttpContext): boolean {
  return credentialsOf(c, {}).userKey !== undefined
}

/** True, or `unauthenticated`: creating users is the operator's, unless the gateway runs on loopback without an admin key. */
export function requireAdmin(c: HttpContext): true {
  return c.get('services').config.openRegistration || requireAdminKey(c)
}

/** True, or `unauthenticated`: what is the operator's alone, wherever the gateway runs. */
export function requireAdminKey(c: HttpContext): true {
  if (isAdmin(c)) return true
  c.get('services').events.authenticationFailed()
  throw new GatewayError(
    'unauthenticated',
    'Send the admin key, GATEWAY_ADMIN_KEY or the one that the first start printed, in the header Authorization: Bearer <key>.',
  )
}

/** Middleware of the operator's routes: comes before anything of the request is looked at. */
export async function adminOnly(c: HttpContext, next: Next): Promise<void> {
  requireAdminKey(c)
  await next()
}

/** Whether the request shows the admin key. */
export function isAdmin(c: HttpContext): boolean {
  const given = bearerToken(c)
  if (given === undefined) return false
  return timingSafeEqual(Buffer.from(hashKey(given)), Buffer.from(c.get('services').adminKeyHash))
}
