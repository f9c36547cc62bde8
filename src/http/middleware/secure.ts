import type { Next } from 'hono'
import type { HttpContext } from '../context.ts'

const REQUEST_HEADERS =
  'Authorization, Content-Type, Idempotency-Key, Prefer, Range, If-None-Match, If-Range, X-API-Key, X-End-User-ID, X-Project-ID, X-Request-Id, X-User-Id'
const ANSWER_HEADERS =
  'X-Request-Id, Server-Timing, Retry-After, Location, Idempotent-Replayed, ETag, Content-Range, Content-Disposition, Preference-Applied, X-Quota-Exceeded, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset'

/** Headers of every answer, and CORS for the origins that the operator listed. */
export function secure(corsOrigins: readonly string[]) {
  const isForAll = corsOrigins.includes('*')
  return async function secureAnswer(c: HttpContext, next: Next): Promise<Response | void> {
    const { incoming, outgoing } = c.env
    outgoing.setHeader('X-Content-Type-Options', 'nosniff')
    outgoing.setHeader('Referrer-Policy', 'no-referrer')
    outgoing.setHeader('Cache-Control', 'private, no-store')
    const origin = incoming.headers.origin
    if (origin === undefined || !(isForAll || corsOrigins.includes(origin))) return next()
    outgoing.setHeader('Access-Control-Allow-Origin', isForAll ? '*' : origin)
    if (!isForAll) outgoing.setHeader('Vary', 'Origin')
    outgoing.setHeader('Access-Control-Expose-Headers', ANSWER_HEADERS)
    if (incoming.method !== 'OPTIONS' || !incoming.headers['access-control-request-method']) return next()
    outgoing.setHeader('Access-Control-Allow-Methods', 'GET, POST, PUT, PATCH, DELETE')
    outgoing.setHeader('Access-Control-Allow-Headers', REQUEST_HEADERS)
    outgoing.setHeader('Access-Control-Max-Age', '600')
    return c.body(null, 204)
  }
}
