import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { Busboy, type BusboyInstance } from '@fastify/busboy'
import type { Limits } from '../config/config.ts'
import type { SpoolSession } from '../domain/attachments/spool.ts'
import { GatewayError } from '../domain/errors.ts'
import type { Upload } from '../domain/sessions/resolve-content.ts'
import { isCleanText } from '../domain/text-schemas.ts'
import { MalformedRequestError } from './errors.ts'

export interface MultipartForm {
  readonly fields: ReadonlyMap<string, string>
  /** In the order sent; two may have one name. */
  readonly files: readonly Upload[]
}

interface MultipartOptions {
  readonly limits: Limits
  readonly spool: SpoolSession
  /** Called after each field with all so far; if it rejects, the reading stops. */
  readonly onField: (fields: ReadonlyMap<string, string>) => Promise<void>
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
        chunk.length >= TAIL_BYTES ? chunk.subarray(-TAIL_BYTES) : Buffer.concat([tail, chunk]).subarray(-TAIL_BYTES)
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

/** Gathers fields and files from the parser's events. */
class FormReader {
  readonly #options: MultipartOptions
  readonly #fields = new Map<string, string>()
  readonly #files: Promise<Upload>[] = []
  readonly #checks: Promise<void>[] = []
  readonly #failure = Promise.withResolvers<never>()
  #current: Readable | undefined

  constructor(parser: BusboyInstance, options: MultipartOptions) {
    this.#options = options
    const { limits } = options
    parser.on('field', (name, value, _nameCut, isCut) => this.#onField(name, value, isCut))
    parser.on('file', (name, stream, fileName, encoding) => this.#onFile(name, stream, fileName, encoding))
    parser.on('partsLimit', () => this.fail(tooMany('parts', limits.parts)))
    parser.on('filesLimit', () => this.fail(tooMany('files', limits.files)))
  }

  /** Rejects at the first fault. */
  get failed(): Promise<never> {
    return this.#failure.promise
  }

  fail(error: unknown): void {
    this.#failure.reject(error)
    this.#current?.destroy(error instanceof Error ? error : new Error('stopped'))
  }

  async finish(): Promise<MultipartForm> {
    await Promise.all(this.#checks)
    return { fields: this.#fields, files: await Promise.all(this.#files) }
  }

  /** When no file is being written any more. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#files, ...this.#checks])
  }

  #onField(name: string | undefined, value: string, isCut: boolean): void {
    const { limits } = this.#options
    if (!this.#checkName(name)) return
    if (isCut) return this.fail(tooLong(`The field ${name}`, 'max_field_bytes', limits.messagesBytes))
    if (this.#fields.has(name)) {
      return this.fail(
        new GatewayError('invalid_request', `The field ${name} was sent twice.`, { details: { field: name } }),
      )
    }
    this.#fields.set(name, value)
    const check = this.#options.onField(this.#fields)
    check.catch((error: unknown) => this.fail(error))
    this.#checks.push(check)
  }

  #onFile(name: string | undefined, stream: Readable, fileName: string | undefined, encoding: string): void {
    stream.on('error', () => {})
    if (!this.#checkName(name)) return
    if (encoding === 'base64' || encoding === 'quoted-printable') {
      return this.fail(
        new GatewayError(
          'invalid_request',
          `Send the bytes of ${name} as they are, without Content-Transfer-Encoding.`,
        ),
      )
    }
    this.#current = stream
    const taken = this.#options.spool
      .take(limited(stream, name, this.#options.limits.fileBytes))
      .then((file) => ({ uploadId: name, fileName: unescapeFileName(fileName), file }))
    taken.catch((error: unknown) => this.fail(error))
    this.#files.push(taken)
  }

  #checkName(name: string | undefined): name is string {
    const { fieldNameBytes } = this.#options.limits
    if (name && !isCleanText(name))
      this.fail(new GatewayError('invalid_request', 'A field name must be well-formed Unicode without NUL.'))
    else if (!name) this.fail(new MalformedRequestError('A part of the multipart body has no name.'))
    else if (Buffer.byteLength(name) > fieldNameBytes)
      this.fail(tooLong('A field name', 'max_field_name_bytes', fieldNameBytes))
    else return true
    return false
  }
}

/** Browsers send a quote in a name as %22, and line breaks as %0D and %0A (WHATWG HTML, multipart/form-data encoding). */
function unescapeFileName(name: string | undefined): string | undefined {
  return name?.replaceAll(/%22|%0D|%0A/g, (escape) => decodeURIComponent(escape))
}

async function* limited(stream: Readable, name: string, maxBytes: number): AsyncGenerator<Buffer> {
  let size = 0
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) throw tooLong(`The file ${name}`, 'max_file_bytes', maxBytes)
    yield chunk
  }
}

function tooMany(what: string, limit: number): GatewayError {
  return new GatewayError('payload_too_large', `A request may have ${limit} ${what} at most.`, {
    details: { [`max_${what}`]: limit },
  })
}

function tooLong(what: string, detail: string, limit: number): GatewayError {
  return new GatewayError('payload_too_large', `${what} may have ${limit} bytes at most.`, {
    details: { [detail]: limit },
  })
}
