import type { IncomingMessage, ServerResponse } from 'node:http'
import { hasOurKey } from '../../http/gateway-key.ts'
import type { AnswerHead } from '../../ports/model-gateway.ts'

/** Of the connection to the gateway, of what stands before it, and the gateway's own: not the provider's business. */
const KEPT_BACK = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'host',
  'content-length',
  'cookie',
  'origin',
  'forwarded',
  'via',
  'x-real-ip',
  'authorization',
  'x-api-key',
  'x-memory-gateway-authorization',
  'x-thread-id',
  'x-resource-id',
  'x-project-id',
])

/** The caller's headers that go to the provider, as they were sent. `isRead`: the answer must come uncompressed. */
export function passedHeaders(incoming: IncomingMessage, isRead: boolean): string[] {
  const { rawHeaders } = incoming
  const named = namedByConnection(incoming.headers.connection)
  const passed: string[] = []
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase()
    if (KEPT_BACK.has(name) || name.startsWith('x-forwarded-') || named?.includes(name)) continue
    if (isRead && name === 'accept-encoding') continue
    const value = rawHeaders[at + 1] ?? ''
    // Some clients send their key in a header of their own too.
    if (hasOurKey(value)) continue
    passed.push(rawHeaders[at] ?? '', value)
  }
  if (isRead) passed.push('accept-encoding', 'identity')
  return passed
}

function namedByConnection(connection: string | undefined): string[] | undefined {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return undefined
  return connection.toLowerCase().split(/\s*,\s*/)
}

/** Sets the provider's headers on the answer. What the gateway has set already stays its own. */
export function setAnswerHeaders(outgoing: ServerResponse, { headers }: AnswerHead): void {
  for (const name in headers) {
    const value = headers[name]
    if (value === undefined || name.startsWith('x-memory-')) continue
    if (name === 'x-request-id') outgoing.setHeader('X-Upstream-Request-Id', value)
    else if (!outgoing.hasHeader(name)) outgoing.setHeader(name, value)
  }
}
