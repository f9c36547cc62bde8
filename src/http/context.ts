import { timingSafeEqual } from 'node:crypto'
import type { HttpBindings } from '@hono/node-server'
import type { Context as HonoContext } from 'hono'
import type { Config } from '../config/config.ts'
import type { Context, DomainServices, SystemContext } from '../domain/context.ts'
import { GatewayError } from '../domain/errors.ts'
import { authenticateUser } from '../domain/users/authenticate-user.ts'
import type { Credentials } from '../domain/users/schemas.ts'
import type { Log } from '../observability/logger.ts'
import type { Metrics } from '../observability/metrics.ts'

/** What the surfaces need of the process. */
export interface HttpServices extends DomainServices {
  readonly config: Config
  readonly log: Log
  readonly metrics: Metrics
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
  }
}

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

/** The header's key counts before the fields'. Whichever user ids are given, all must be the key's. */
export function credentialsOf(c: HttpContext, fields: CredentialFields): Credentials {
  const header = c.req.header('x-user-id')
  if (header !== undefined && fields.user_id !== undefined && header !== fields.user_id) {
    throw new GatewayError('unauthenticated', 'X-User-Id and user_id name different users.')
  }
  return { userKey: bearerToken(c) ?? fields.user_key, userId: fields.user_id ?? header }
}

/** The request's context for domain verbs, once its key has told whose it is. */
export async function authenticate(c: HttpContext, fields: CredentialFields): Promise<Context> {
  const ctx = systemContext(c)
  const caller = await authenticateUser(ctx, credentialsOf(c, fields))
  c.set('userId', caller.userId)
  return { ...ctx, caller }
}

/** Creating users is the operator's, unless the gateway runs on loopback without an admin key. */
export function requireAdmin(c: HttpContext): void {
  const { adminKey, openRegistration } = c.get('services').config
  if (openRegistration) return
  const given = Buffer.from(bearerToken(c) ?? '')
  const wanted = Buffer.from(adminKey ?? '')
  if (adminKey && given.length === wanted.length && timingSafeEqual(given, wanted)) return
  throw new GatewayError('unauthenticated', 'Send the GATEWAY_ADMIN_KEY in the header Authorization: Bearer <key>.')
}
