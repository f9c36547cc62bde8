import type { IncomingMessage } from 'node:http'
import { Busboy, type BusboyInstance } from '@fastify/busboy'
import type { Limits } from '../config/config.ts'
import { GatewayError } from '../domain/errors.ts'
import { MalformedRequestError } from './errors.ts'
import { type FormOptions, FormReader, type MultipartForm } from './form-reader.ts'

interface MultipartOptions extends FormOptions {
  /** Ends the reading with its reason. */
  readonly signal: AbortSignal
}

/** How much of the body's end is searched for its final boundary; an epilogue may follow that. */
const TAIL_BYTES = 4096
const PART_HEADER_BYTES = 8 * 1024
const PART_HEADERS = 32

/**
 * Reads a multipart/form-data body as it comes, parts in any order, files to the spool. Rejects at the first breach of a limit, and
 * with 400 for a body that is broken or ends early; the rest of it is not read then.
 */
export async function readMultipart(incoming: IncomingMessage, options: MultipartOptions): Promise<MultipartForm> {
  const parser = createParser(incoming, options.limits)
  const form = new FormReader(parser, options)
  const stop = () => form.fail(options.signal.reason)
  if (options.signal.aborted) stop()
  options.signal.addEventListener('abort', stop)
  const received = pump(incoming, parser, form, options.limits)
  try {
    await Promise.race([received, form.failed])
    return await Promise.race([form.finish(), form.failed])
  } catch (error) {
    incoming.pause()
    form.fail(error)
    await form.settled()
    throw error
  } finally {
    options.signal.removeEventListener('abort', stop)
    received.catch(() => {})
    form.failed.catch(() => {})
  }
}

function createParser(incoming: IncomingMessage, limits: Limits): BusboyInstance {
  const type = incoming.headers['content-type'] ?? ''
  if (!/^multipart\/form-data\b/i.test(type)) {
    throw new GatewayError('unsupported_media_type', 'Send the body as multipart/form-data.')
  }
  const length = Number(incoming.headers['content-length'] ?? 0)
  if (length > limits.requestBytes) throw requestTooLarge(limits)
  try {
    return new Busboy({
      headers: { ...incoming.headers, 'content-type': type },
      preservePath: true,
      limits: {
        parts: limits.parts,
        files: limits.files,
        fieldSize: limits.messagesBytes,
        headerPairs: PART_HEADERS,
        headerSize: PART_HEADER_BYTES,
      },
    })
  } catch (error) {
    throw new MalformedRequestError('The multipart/form-data header names no usable boundary.', error)
  }
}

function requestTooLarge(limits: Limits): GatewayError {
  return new GatewayError('payload_too_large', `A request may have ${limits.requestBytes} bytes at most.`, {
    details: { max_request_bytes: limits.requestBytes },
  })
}

/** Feeds the parser as fast as it takes, and makes sure that the body came whole. */
function pump(incoming: IncomingMessage, parser: BusboyInstance, form: FormReader, limits: Limits): Promise<void> {
  const boundary = /boundary=(?:"([^"]+)"|([^;]+))/i.exec(incoming.headers['content-type'] ?? '')
  const finalBoundary = `--${(boundary?.[1] ?? boundary?.[2] ?? '').trim()}--`
  return new Promise((resolve, reject) => {
    // The key is checked before the body is read: the client may have gone in between.
    if (incoming.destroyed)
      return reject(new MalformedRequestError('The connection closed before the body was complete.'))
    let size = 0
    let tail: Buffer = Buffer.alloc(0)
    let isDraining = false
    const stop = (error: unknown) => {
      incoming.off('data', onData)
      reject(error)
    }
    const onData = (chunk: Buffer) => {
      size += chunk.length
      if (size > limits.requestBytes) return stop(requestTooLarge(limits))
      tail =
        chunk.length >= TAIL_BYTES
          ? Buffer.from(chunk.subarray(-TAIL_BYTES))
          : Buffer.concat([tail, chunk]).subarray(-TAIL_BYTES)
      // More data can come after pause(): one drain listener at a time.
      if (parser.write(chunk) || isDraining) return
      isDraining = true
      incoming.pause()
      parser.once('drain', () => {
        isDraining = false
        incoming.resume()
      })
    }
    incoming.on('data', onData)
    incoming.once('end', () => {
      if (!tail.includes(finalBoundary))
        stop(new MalformedRequestError('The multipart body ends before its final boundary.'))
      else parser.end()
    })
    incoming.once('error', stop)
    // 'close' also follows a regular 'end'.
    incoming.once('close', () => {
      if (!incoming.readableEnded)
        stop(new MalformedRequestError('The connection closed before the body was complete.'))
    })
    parser.once('finish', resolve)
    parser.once('error', (error: unknown) => stop(new MalformedRequestError('The multipart body is broken.', error)))
    form.failed.catch(stop)
  })
}
