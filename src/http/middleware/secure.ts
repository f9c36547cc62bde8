import type { Next } from 'hono'
import type { HttpContext } from '../context.ts'

/** Headers of every answer, and CORS for the origins that the operator listed. */
export function secure(corsOrigins: readonly string[]) {
  return async function secureAnswer(c: HttpContext, next: Next): Promise<Response | void> {
    const { incoming, outgoing } = c.env
    outgoing.setHeader('X-Content-Type-Options', 'nosniff')
    outgoing.setHeader('Referrer-Policy', 'no-referrer')
    outgoing.setHeader('Cache-Control', 'private, no-store')
    const origin = incoming.headers.origin
    if (origin === undefined || !(corsOrigins.includes(origin) || corsOrigins.includes('*'))) return next()
    outgoing.setHeader('Access-Control-Allow-Origin', origin)
    outgoing.setHeader('Vary', 'Origin')
    outgoing.setHeader('Access-Control-Expose-Headers', 'X-Request-Id, Server-Timing, Retry-After')
    if (incoming.method !== 'OPTIONS' || !incoming.headers['access-control-request-method']) return next()
    outgoing.setHeader('Access-Control-Allow-Methods', 'GET, POST, PATCH, DELETE')
    outgoing.setHeader('Access-Control-Allow-Headers', 'Authorization, Content-Type, Prefer, X-Request-Id, X-User-Id')
    outgoing.setHeader('Access-Control-Max-Age', '600')
    return c.body(null, 204)
  }
}
