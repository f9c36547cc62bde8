import type { Readable } from 'node:stream'
import type { BusboyInstance } from '@fastify/busboy'
import { freeBuffer } from '../buffers/free-buffer.ts'
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

export interface FormOptions {
  readonly limits: Limits
  readonly spool: SpoolSession
  /** The text fields that the route knows; undefined: others do no harm. */
  readonly fieldNames: readonly string[] | undefined
  /** Called after each field with all so far; if it rejects, the reading stops. */
  readonly onField: (fields: ReadonlyMap<string, string>) => Promise<void>
}

/** Gathers fields and files from the parser's events. */
export class FormReader {
  readonly #options: FormOptions
  readonly #fields = new Map<string, string>()
  readonly #files: Promise<Upload>[] = []
  readonly #checks: Promise<void>[] = []
  readonly #failure = Promise.withResolvers<never>()
  #current: Readable | undefined
  #fieldBytes = 0
  #hasFailed = false

  constructor(parser: BusboyInstance, options: FormOptions) {
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
    this.#hasFailed = true
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
    const { limits, fieldNames } = this.#options
    if (this.#hasFailed || !this.#checkName(name)) return
    if (fieldNames && !fieldNames.includes(name)) return this.fail(unknownField(name))
    if (isCut) return this.fail(tooLong(`The field ${name}`, 'max_field_bytes', limits.messagesBytes))
    if (this.#fields.has(name)) {
      return this.fail(
        new GatewayError('invalid_request', `The field ${name} was sent twice.`, { details: { field: name } }),
      )
    }
    this.#fieldBytes += Buffer.byteLength(value)
    if (this.#fieldBytes > limits.messagesBytes)
      return this.fail(tooLong('The text fields together', 'max_field_bytes', limits.messagesBytes))
    this.#fields.set(name, value)
    const check = this.#options.onField(this.#fields)
    check.catch((error: unknown) => this.fail(error))
    this.#checks.push(check)
  }

  #onFile(name: string | undefined, stream: Readable, fileName: string | undefined, encoding: string): void {
    stream.on('error', () => {})
    if (this.#hasFailed || !this.#checkName(name)) return
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

function unknownField(name: string): GatewayError {
  return new GatewayError('invalid_request', `Unknown field: ${name}. A file needs a filename in its part.`, {
    details: { unknown_fields: [name] },
  })
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
    freeBuffer(chunk)
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
