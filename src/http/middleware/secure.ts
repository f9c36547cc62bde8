import type { Next } from 'hono'
import type { HttpContext } from '../context.ts'

const REQUEST_HEADERS =
  'Authorization, Content-Type, Idempotency-Key, Prefer, Range, If-None-Match, If-Range, X-API-Key, X-End-User-ID, X-Project-ID, X-Request-Id, X-User-Id, X-Thread-Id, X-Resource-Id, X-Memory-Gateway-Authorization'
/** The clients of model providers send any number of their own. */
const CLIENT_HEADER = /^(anthropic|openai|x-stainless)-[a-z0-9-]{1,64}$/i
const ANSWER_HEADERS =
  'X-Request-Id, Server-Timing, Retry-After, Location, Idempotent-Replayed, ETag, Content-Range, Content-Disposition, Preference-Applied, X-Quota-Exceeded, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-RateLimit-Scope, X-Memory-Status, X-Memory-Ids, X-Memory-Messages, X-Memory-Tokens, X-Memory-Ms'

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
    outgoing.setHeader('Access-Control-Allow-Headers', [REQUEST_HEADERS, ...clientHeaders(c)].join(', '))
    outgoing.setHeader('Access-Control-Max-Age', '600')
    return c.body(null, 204)
  }
}

function clientHeaders(c: HttpContext): string[] {
  const asked = c.env.incoming.headers['access-control-request-headers'] ?? ''
  return asked
    .split(',')
    .map((name) => name.trim())
    .filter((name) => CLIENT_HEADER.test(name))
}
