import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { secure } from './secure.ts'

const ORIGIN = 'https://app.example'

async function ask(corsOrigins: string[], headers: Record<string, string>, method = 'GET') {
  const sent = new Map<string, string>()
  const app = new Hono()
  app.use(secure(corsOrigins) as never)
  app.get('/', (c) => c.text('served'))
  const outgoing = { setHeader: (name: string, value: string) => sent.set(name.toLowerCase(), value) }
  const { status } = await app.request('/', { method }, { incoming: { method, headers }, outgoing })
  const list = (name: string) => (sent.get(name) ?? '').split(', ').toSorted()
  return { status, sent, list }
}

describe('CORS', () => {
  it('names the origin if it is listed', async () => {
    const { sent } = await ask([ORIGIN, 'https://other.example'], { origin: ORIGIN })
    expect(sent.get('access-control-allow-origin')).toBe(ORIGIN)
    expect(sent.get('vary')).toBe('Origin')
  })

  it('says * if it is open to all, the same to everyone', async () => {
    const { sent } = await ask(['*'], { origin: ORIGIN })
    expect(sent.get('access-control-allow-origin')).toBe('*')
    expect(sent.has('vary')).toBe(false)
  })

  it('lets a page send, and read, the headers of the API', async () => {
    const headers = { origin: ORIGIN, 'access-control-request-method': 'POST' }
    const { status, list } = await ask([ORIGIN], headers, 'OPTIONS')
    expect(status).toBe(204)
    expect(list('access-control-allow-headers')).toEqual(
      [
        'Authorization',
        'Content-Type',
        'Idempotency-Key',
        'If-None-Match',
        'If-Range',
        'Prefer',
        'Range',
        'X-API-Key',
        'X-End-User-ID',
        'X-Memory-Gateway-Authorization',
        'X-Project-ID',
        'X-Request-Id',
        'X-Resource-Id',
        'X-Thread-Id',
        'X-User-Id',
      ].toSorted(),
    )
    expect((await ask([ORIGIN], { origin: ORIGIN })).list('access-control-expose-headers')).toEqual(
      [
        'Content-Disposition',
        'Content-Range',
        'ETag',
        'Idempotent-Replayed',
        'Location',
        'Preference-Applied',
        'Retry-After',
        'Server-Timing',
        'X-Memory-Ids',
        'X-Memory-Messages',
        'X-Memory-Ms',
        'X-Memory-Status',
        'X-Memory-Tokens',
        'X-Quota-Exceeded',
        'X-RateLimit-Limit',
        'X-RateLimit-Remaining',
        'X-RateLimit-Reset',
        'X-RateLimit-Scope',
        'X-Request-Id',
      ].toSorted(),
    )
  })

  it('lets the clients of model providers send headers of their own, and no others', async () => {
    const asked = 'authorization, openai-beta,x-stainless-os, Anthropic-Version, x-other, openai-a\r\nb, cookie'
    const preflight = { 'access-control-request-method': 'POST', 'access-control-request-headers': asked }
    const { list } = await ask([ORIGIN], { origin: ORIGIN, ...preflight }, 'OPTIONS')
    expect(list('access-control-allow-headers')).toEqual(
      expect.arrayContaining(['openai-beta', 'x-stainless-os', 'Anthropic-Version']),
    )
    expect(list('access-control-allow-headers').join()).not.toMatch(/x-other|openai-a|cookie/)
  })

  it('is for nobody else', async () => {
    const { status, sent } = await ask([ORIGIN], { origin: 'https://evil.example' })
    expect(status).toBe(200)
    expect([...sent.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
  })

  const listed = [ORIGIN, 'https://other.example']
  const strangers = [
    'https://evil.example',
    'null',
    'http://app.example',
    `${ORIGIN}.evil.example`,
    `${ORIGIN}:8443`,
    '',
  ]
  const matrix = [
    ...strangers.map((origin) => ({ allowed: listed, origin, answer: undefined })),
    ...[...listed, ...strangers].map((origin) => ({ allowed: [], origin, answer: undefined })),
    ...listed.map((origin) => ({ allowed: listed, origin, answer: origin })),
    ...[...listed, 'https://evil.example', 'null'].map((origin) => ({ allowed: ['*'], origin, answer: '*' })),
  ]

  it.each(matrix)('to a preflight of "$origin" where $allowed may, is $answer', async ({ allowed, origin, answer }) => {
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
      const headers = { origin, 'access-control-request-method': method }
      const { status, sent, list } = await ask(allowed, headers, 'OPTIONS')
      expect(sent.get('access-control-allow-origin')).toBe(answer)
      expect(status).toBe(answer === undefined ? 404 : 204)
      expect(list('access-control-allow-methods').includes(method)).toBe(answer !== undefined)
      expect(sent.has('access-control-allow-credentials')).toBe(false)
    }
  })
})
