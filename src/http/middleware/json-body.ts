import type { IncomingMessage } from 'node:http'
import type { Next } from 'hono'
import { GatewayError } from '../../domain/errors.ts'
import type { HttpContext } from '../context.ts'
import { MalformedRequestError } from '../errors.ts'

/**
 * Reads a JSON body up to a limit, also one that is sent without its length, before the route's validator asks for it.
 * A body that may be larger than `smallBytes` takes one of the places for uploads.
 */
export function jsonBody(maxBytes: number, smallBytes = maxBytes) {
  return async function readJsonBody(c: HttpContext, next: Next): Promise<void> {
    const declared = Number(c.env.incoming.headers['content-length'] ?? maxBytes)
    using _place = declared > smallBytes ? c.get('services').uploads.enter() : undefined
    const text = await readText(c.env.incoming, maxBytes)
    // Hono awaits what its cache holds, though the cache's type is that of the values.
    Object.assign(c.req.bodyCache, { text: Promise.resolve(text) })
    await next()
  }
}

async function readText(incoming: IncomingMessage, maxBytes: number): Promise<string> {
  const tooLarge = () =>
    new GatewayError('payload_too_large', `The body may have ${maxBytes} bytes at most.`, {
      details: { max_body_bytes: maxBytes },
    })
  if (Number(incoming.headers['content-length'] ?? 0) > maxBytes) throw tooLarge()
  const chunks: Buffer[] = []
  let size = 0
  await new Promise<void>((resolve, reject) => {
    incoming.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > maxBytes) {
        incoming.removeAllListeners('data').pause()
        reject(tooLarge())
      } else chunks.push(chunk)
    })
    incoming.once('end', resolve)
    incoming.once('error', reject)
    incoming.once('close', () =>
      reject(new MalformedRequestError('The connection closed before the body was complete.')),
    )
  })
  return Buffer.concat(chunks).toString()
}
