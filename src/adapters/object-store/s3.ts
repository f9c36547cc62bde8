import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { Readable } from 'node:stream'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import {
  type ByteRange,
  ObjectNotFoundError,
  type ObjectStore,
  ObjectStoreError,
  type SpooledFile,
} from '../../ports/object-store.ts'
import { assertObjectKey } from './object-key.ts'
import { asStoreError, isMissingKey, isTimeout, StalledError } from './s3-errors.ts'
import { exactBody, putCommand, waitOnlyForTheStore } from './s3-streams.ts'
import { checkCanary } from './self-test.ts'

export interface S3Options {
  readonly bucket: string
  /** Undefined: AWS. */
  readonly endpoint?: string | undefined
  readonly region: string
  /** Both undefined: the SDK's own chain (environment, profile, role of the machine). */
  readonly accessKeyId?: string | undefined
  readonly secretAccessKey?: string | undefined
  readonly forcePathStyle: boolean
  /** Milliseconds. Default 2000. */
  readonly connectTimeoutMs?: number
  /** Milliseconds without a byte on the socket, in either direction. Default 4500. */
  readonly idleTimeoutMs?: number
  /** Of one call, the first included; of those that time out, two at most. Default 3. */
  readonly maxAttempts?: number
}

/** A bucket of AWS S3, or of what speaks its language (Ceph, MinIO, R2, …). The bucket must exist. */
export function createS3ObjectStore(options: S3Options): ObjectStore {
  return new S3ObjectStore(options)
}

// Without a logger of its own the SDK writes warnings to the console.
const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {} }

class S3ObjectStore implements ObjectStore {
  readonly kind = 's3'
  readonly #options: S3Options
  readonly #client: S3Client
  readonly #idleTimeoutMs: number

  constructor(options: S3Options) {
    this.#options = options
    this.#idleTimeoutMs = options.idleTimeoutMs ?? 4_500
    const { endpoint, accessKeyId, secretAccessKey } = options
    const httpAgent = new HttpAgent({ keepAlive: true, maxSockets: 256 })
    const httpsAgent = new HttpsAgent({ keepAlive: true, maxSockets: 256 })
    this.#client = new S3Client({
      region: options.region,
      forcePathStyle: options.forcePathStyle,
      ...(endpoint !== undefined && { endpoint }),
      ...(accessKeyId !== undefined &&
        secretAccessKey !== undefined && { credentials: { accessKeyId, secretAccessKey } }),
      // What the SDK computes by itself since 2025 is sent in a form that many stores refuse or, worse, store.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      // It would cost the connection after each larger upload, and six seconds with a store that does not know it.
      expectContinueHeader: false,
      maxAttempts: options.maxAttempts ?? 3,
      logger: silent,
      requestHandler: {
        connectionTimeout: options.connectTimeoutMs ?? 2000,
        socketTimeout: this.#idleTimeoutMs,
        httpAgent,
        httpsAgent,
        logger: silent,
      },
    })
    this.#client.middlewareStack.add(
      (next) => {
        let timeouts = 0
        return async (args) => {
          try {
            return await next(args)
          } catch (error) {
            if (!isTimeout(error)) throw error
            // Connections that were left idle may have died unnoticed like this one: the next attempt gets a new one.
            for (const { freeSockets } of [httpAgent, httpsAgent]) {
              for (const socket of Object.values(freeSockets).flatMap((idle) => idle ?? [])) socket.destroy()
            }
            throw ++timeouts < 2 ? error : new StalledError()
          }
        }
      },
      { step: 'finalizeRequest', priority: 'low', name: 'endStalls' },
    )
  }

  async put(key: string, file: SpooledFile, options: { contentType: string; signal?: AbortSignal }): Promise<void> {
    const command = putCommand(this.#target(key), options.contentType, file)
    await this.#call(`cannot store ${key}`, options.signal, (abort) => this.#client.send(command, abort))
    const stored = await this.head(key, options)
    if (stored?.size !== file.size) {
      throw new ObjectStoreError(`the store kept ${stored?.size ?? 'none'} of the ${file.size} bytes of ${key}`)
    }
  }

  async get(key: string, options: { range?: ByteRange; signal?: AbortSignal } = {}): Promise<Readable> {
    const { range, signal } = options
    if (range && !(range.start >= 0 && range.start <= range.end)) {
      throw new ObjectStoreError(`${range.start}-${range.end} is no range of bytes`)
    }
    const command = new GetObjectCommand({
      ...this.#target(key),
      ...(range && { Range: `bytes=${range.start}-${range.end}` }),
    })
    const answer = await this.#call(`cannot read ${key}`, signal, (abort) =>
      this.#client.send(command, abort).catch((error: unknown) => {
        throw isMissingKey(error) ? new ObjectNotFoundError(`no object ${key}`, { cause: error }) : error
      }),
    )
    const body = answer.Body
    if (!(body instanceof Readable)) throw new ObjectStoreError(`the store sent no body of ${key}`)
    const size = range ? range.end - range.start + 1 : answer.ContentLength
    if (size === undefined || answer.ContentLength !== size || (range && answer.$metadata.httpStatusCode !== 206)) {
      // Nobody listens to it otherwise.
      body.on('error', () => {}).destroy()
      throw new ObjectStoreError(
        `the store offers ${answer.ContentLength ?? 'an unknown number of'} bytes of ${key}, not ${size}`,
      )
    }
    waitOnlyForTheStore(body, this.#idleTimeoutMs)
    return exactBody(body, size, signal)
  }

  async head(key: string, options: { signal?: AbortSignal } = {}): Promise<{ size: number } | undefined> {
    const { signal } = options
    const what = `cannot look up ${key}`
    const command = new HeadObjectCommand(this.#target(key))
    const answer = await this.#call(what, signal, (abort) =>
      this.#client.send(command, abort).catch((error: unknown) => {
        if (isMissingKey(error)) return undefined
        throw error
      }),
    )
    if (!answer) {
      // A bucket that is gone must not look like one that holds nothing.
      await this.ping(options)
      return undefined
    }
    if (answer.ContentLength === undefined) throw new ObjectStoreError(`${what}: the store did not tell its size`)
    return { size: answer.ContentLength }
  }

  async delete(key: string): Promise<void> {
    const command = new DeleteObjectCommand(this.#target(key))
    await this.#call(`cannot delete ${key}`, undefined, async (abort) => {
      await this.#client.send(command, abort).catch((error: unknown) => {
        if (!(error instanceof Error && error.name === 'NoSuchKey')) throw error
      })
    })
  }

  uri(key: string): string {
    assertObjectKey(key)
    return `s3://${this.#options.bucket}/${key}`
  }

  async presignGet(key: string, expiresInSeconds: number): Promise<string> {
    const command = new GetObjectCommand({ ...this.#target(key), ResponseContentDisposition: 'attachment' })
    // What the SDK learnt of the store's clock from a request that was refused, it uses for requests alone.
    const signingDate = new Date(Date.now() + this.#client.config.systemClockOffset)
    return await this.#call(`cannot sign an address of ${key}`, undefined, () =>
      getSignedUrl(this.#client, command, { expiresIn: expiresInSeconds, signingDate }),
    )
  }

  async selfTest(): Promise<void> {
    try {
      await checkCanary(this)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new ObjectStoreError(`the S3 object store failed the start-up test: ${reason}`, { cause: error })
    }
  }

  async ping(options: { signal?: AbortSignal } = {}): Promise<void> {
    const command = new HeadBucketCommand({ Bucket: this.#options.bucket })
    await this.#call('the object store does not answer', options.signal, (abort) => this.#client.send(command, abort))
  }

  async close(): Promise<void> {
    this.#client.destroy()
  }

  #target(key: string): { Bucket: string; Key: string } {
    assertObjectKey(key)
    return { Bucket: this.#options.bucket, Key: key }
  }

  async #call<Answer>(
    what: string,
    signal: AbortSignal | undefined,
    send: (options: { abortSignal?: AbortSignal }) => Promise<Answer>,
  ): Promise<Answer> {
    signal?.throwIfAborted()
    try {
      return await send(signal ? { abortSignal: signal } : {})
    } catch (error) {
      signal?.throwIfAborted()
      throw asStoreError(error, what, this.#options)
    }
  }
}
