import type { IncomingMessage } from 'node:http'
import type { Next } from 'hono'
import { KEY_DEADLINE_MS } from '../../domain/attachments/upload-gate.ts'
import type { Context } from '../../domain/context.ts'
import { GatewayError } from '../../domain/errors.ts'
import { ByteCollector } from '../byte-collector.ts'
import { authenticate, authenticateEarly, type CredentialFields, type HttpContext } from '../context.ts'
import { MalformedRequestError } from '../errors.ts'
import { checkJsonValues } from '../json-values.ts'

/** A larger body counts as an upload. */
const LARGE_BODY_BYTES = 2 * 1024 * 1024

/** A body that is announced takes room as it comes: one that never comes keeps nobody else's out. */
const ROOM_STEP = 64 * 1024

/**
 * Reads a JSON body up to a limit, also one that is sent without its length, before the route's validator asks for it. Before
 * that, `identify` looks at who sends it: it throws for a wrong key, and is truthy for a known sender. What the body holds, room and places, is given back
 * when the request ends, or by `withBody`.
 */
export function jsonBody(maxBytes: number, identify: (c: HttpContext) => unknown = authenticateEarly) {
  return async function readJsonBody(c: HttpContext, next: Next): Promise<void> {
    const isKnown = Boolean(await identify(c))
    const { incoming } = c.env
    const declared = incoming.headers['content-length']
    if (Number(declared ?? 0) > maxBytes) throw tooLarge(maxBytes)
    const bytes = Number(declared ?? maxBytes)
    using held = new DisposableStack()
    hold(c, bytes, isKnown, held)
    const text = await readText(incoming, maxBytes, isKnown ? undefined : KEY_DEADLINE_MS)
    checkJsonValues(text)
    // Hono awaits what its cache holds, though the cache's type is that of the values.
    Object.assign(c.req.bodyCache, { text: Promise.resolve(text) })
    c.set('body', { bytes, held })
    await next()
  }
}

function hold(c: HttpContext, bytes: number, isKnown: boolean, held: DisposableStack): void {
  const { uploads } = c.get('services')
  held.use(uploads.holdBody(bytes, isKnown))
  takePlaces(c, bytes, held)
}

/** A large body takes a place in the process, and among those of whoever sends it. */
function takePlaces(c: HttpContext, bytes: number, held: DisposableStack): void {
  if (bytes <= LARGE_BODY_BYTES) return
  const { uploads } = c.get('services')
  const whose = c.get('identity')?.ctx.caller.userId ?? c.get('apiKey')?.key.keyId
  if (whose === undefined) {
    held.use(uploads.enterUnidentified())
    return
  }
  held.use(uploads.enter())
  held.use(uploads.enterAs(whose))
}

/**
 * Reads the whole body of a known caller, up to a limit, also one that is sent without its length. `room` is what it holds of the memory
 * for bodies: to be disposed of when the bytes are let go, at the latest when the request ends.
 */
export async function receiveBody(c: HttpContext, maxBytes: number): Promise<{ body: Buffer; room: Disposable }> {
  const { incoming, outgoing } = c.env
  const { uploads } = c.get('services')
  const declared = incoming.headers['content-length']
  if (Number(declared ?? 0) > maxBytes) throw tooLarge(maxBytes)
  const bytes = Number(declared ?? maxBytes)
  // If there is none for all of it, nothing of it is read.
  uploads.holdBody(bytes, true)[Symbol.dispose]()
  using places = new DisposableStack()
  takePlaces(c, bytes, places)
  const reserved = places.use(new DisposableStack())
  let left = bytes
  const body = await readBytes(incoming, maxBytes, undefined, (size) => {
    for (; left > 0 && bytes - left < size; left -= Math.min(left, ROOM_STEP)) {
      reserved.use(uploads.holdBody(Math.min(left, ROOM_STEP), true))
    }
  })
  reserved.dispose()
  const room = uploads.holdBody(body.length, true)
  if (outgoing.closed) room[Symbol.dispose]()
  else outgoing.once('close', () => room[Symbol.dispose]())
  return { body, room }
}

/**
 * Has `work` store what came in the body, for the caller that its key names; then the body is let go, with its room and
 * places, so that waiting for the backend holds none of them.
 */
export async function withBody<I, T>(
  c: HttpContext,
  body: I & CredentialFields,
  work: (ctx: Context, input: Omit<I, keyof CredentialFields>) => Promise<T>,
): Promise<{ ctx: Context; stored: T }> {
  const wasKnown = c.get('identity') !== undefined
  const { user_id, user_key, ...input } = body
  const ctx = await authenticate(c, { user_id, user_key })
  const { bytes, held } = c.get('body')
  using places = new DisposableStack()
  if (!wasKnown) {
    held.dispose()
    hold(c, bytes, true, places)
  }
  const stored = await work(ctx, input)
  held.dispose()
  c.req.bodyCache = {}
  c.req.addValidatedData('json', {})
  return { ctx, stored }
}

function tooLarge(maxBytes: number): GatewayError {
  return new GatewayError('payload_too_large', `The body may have ${maxBytes} bytes at most.`, {
    details: { max_body_bytes: maxBytes },
  })
}

async function readText(incoming: IncomingMessage, maxBytes: number, deadlineMs: number | undefined): Promise<string> {
  const bytes = await readBytes(incoming, maxBytes, deadlineMs)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new MalformedRequestError('The body is not valid UTF-8.')
  }
}

/** `onSize` is told how much there is after each chunk; if it throws, no more is read. */
async function readBytes(
  incoming: IncomingMessage,
  maxBytes: number,
  deadlineMs: number | undefined,
  onSize: (bytes: number) => void = () => {},
): Promise<Buffer> {
  const body = new ByteCollector()
  let timer: NodeJS.Timeout | undefined
  try {
    await new Promise<void>((resolve, reject) => {
      const stop = (error: unknown) => {
        incoming.removeAllListeners('data').pause()
        reject(error)
      }
      // The key is checked before the body is read: the client may have gone in between.
      if (incoming.destroyed) return stop(broken())
      if (deadlineMs !== undefined) timer = setTimeout(() => stop(tooSlow()), deadlineMs)
      incoming.on('data', (chunk: Buffer) => {
        if (body.size + chunk.length > maxBytes) return stop(tooLarge(maxBytes))
        body.add(chunk)
        try {
          onSize(body.size)
        } catch (error) {
          stop(error)
        }
      })
      incoming.once('end', resolve)
      incoming.once('error', reject)
      // It comes after a whole body too.
      incoming.once('close', () => {
        if (!incoming.readableEnded) reject(broken())
      })
    })
  } finally {
    clearTimeout(timer)
  }
  return body.bytes()
}

function broken(): GatewayError {
  return new MalformedRequestError('The connection closed before the body was complete.')
}

function tooSlow(): GatewayError {
  return new GatewayError(
    'unauthenticated',
    'The body, in which the key may be, did not come in time. Send the key in the Authorization header.',
  )
}
