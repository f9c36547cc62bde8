import { IncomingMessage } from 'node:http'
import { type Readable, Transform } from 'node:stream'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { ObjectStoreError, type SpooledFile } from '../../ports/object-store.ts'
import { asError } from './as-error.ts'
import { openSpooled } from './spooled-file.ts'

/**
 * A PutObject that the SDK can retry: every attempt gets a fresh stream of the spooled file, which the SDK would refuse
 * to repeat as a `Body`. The SHA-256 is part of the signature, so that any store refuses other bytes.
 */
export function putCommand(
  target: { Bucket: string; Key: string },
  contentType: string,
  file: SpooledFile,
): PutObjectCommand {
  const command = new PutObjectCommand({
    ...target,
    ContentType: contentType,
    ContentLength: file.size,
    ChecksumSHA256: Buffer.from(file.sha256, 'hex').toString('base64'),
  })
  command.middlewareStack.add(
    (next) => (args) => {
      headersOf(args.request)['x-amz-content-sha256'] = file.sha256
      return next(args)
    },
    { step: 'build', name: 'signSha256' },
  )
  command.middlewareStack.add(
    (next) => async (args) => {
      const request = args.request as object
      if (file.bytes) return next({ ...args, request: { ...request, body: file.bytes } })
      const handle = await openSpooled(file.path, file.size)
      const body = handle.createReadStream({ end: Math.max(file.size - 1, 0) })
      // The HTTP client does not listen for errors of what it sends.
      const broken = new Promise<never>((_, reject) => body.once('error', reject))
      try {
        return await Promise.race([next({ ...args, request: { ...request, body } }), broken])
      } finally {
        body.destroy()
      }
    },
    { step: 'finalizeRequest', priority: 'low', name: 'openBody' },
  )
  return command
}

function headersOf(request: unknown): Record<string, string> {
  return (request as { headers: Record<string, string> }).headers
}

/**
 * The body of an answer as the port wants it: `size` bytes or an error. An abort destroys it with the signal's reason;
 * whatever ends it closes the connection.
 */
export function exactBody(body: Readable, size: number, signal?: AbortSignal): Readable {
  let received = 0
  const exact = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      received += chunk.length
      if (received > size) done(new ObjectStoreError(`the store sent more than the ${size} bytes of the object`))
      else done(null, chunk)
    },
    flush(done) {
      done(received === size ? null : tooShort())
    },
  })
  const tooShort = (cause?: unknown) =>
    new ObjectStoreError(`the store sent ${received} of ${size} bytes`, cause === undefined ? {} : { cause })
  const abort = () => exact.destroy(asError(signal?.reason))
  signal?.addEventListener('abort', abort, { once: true })
  exact.once('close', () => {
    signal?.removeEventListener('abort', abort)
    body.destroy()
  })
  body.on('error', (cause) => exact.destroy(tooShort(cause)))
  body.once('close', () => {
    if (!exact.writableEnded) exact.destroy(tooShort())
  })
  return body.pipe(exact)
}

/** Stops the clock of a silent connection while it is the reader that takes nothing. */
export function waitOnlyForTheStore(body: Readable, idleTimeoutMs: number): void {
  if (!(body instanceof IncomingMessage)) return
  const { socket } = body
  body.on('pause', () => socket.setTimeout(0))
  body.on('resume', () => socket.setTimeout(idleTimeoutMs))
}
