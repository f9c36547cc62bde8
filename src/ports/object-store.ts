import type { Readable } from 'node:stream'

/**
 * A file that this process has taken in completely: hashed, counted, and held either in memory (small) or in a
 * private temp file. Whoever spooled it disposes of it; an object store may keep the bytes under
 * another name, and changes nothing of them.
 */
export type SpooledFile = {
  /** Bytes. */
  readonly size: number
  /** SHA-256 of the bytes, lower-case hex. */
  readonly sha256: string
} & ({ readonly bytes: Buffer; readonly path?: never } | { readonly path: string; readonly bytes?: never })

/** Inclusive byte positions, as in HTTP's Range. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** `get` of a key that the store does not hold. */
export class ObjectNotFoundError extends Error {
  override name = 'ObjectNotFoundError'
}

/** The store could not be reached, refused, or answered wrongly: the outcome of the call is not known. */
export class ObjectStoreError extends Error {
  override name = 'ObjectStoreError'
}

/**
 * Keeps the originals. Every adapter passes `tests/contract/object-store.ts`.
 *
 * Keys are chosen by the gateway: random segments of `[a-z0-9/_-]`, never anything a caller sent, and never reused.
 * An adapter refuses any other key, so that no key can leave its root.
 *
 * Failures other than a missing key are `ObjectStoreError`s with the driver's error as `cause`; an aborted `signal`
 * rejects with the signal's reason. All methods may be called concurrently, also for one key.
 */
export interface ObjectStore {
  readonly kind: 'local' | 's3'

  /**
   * Stores the whole file under the key. When it resolves, the object is durable as far as the store can promise
   * (local: bytes, name and directory are fsynced; S3: the store acknowledged the length and, where it supports
   * them, the checksum) and `head` reports exactly `file.size`. When it rejects, the object may or may not exist; a
   * partial object is never visible. The spooled file stays as it is, and may be put again under another key. Putting a key again overwrites.
   */
  put(key: string, file: SpooledFile, options: { contentType: string; signal?: AbortSignal }): Promise<void>

  /**
   * Opens the object for reading, whole or the given range (which must lie inside the object). Rejects with
   * `ObjectNotFoundError` before any byte is delivered. An error in mid-read, or an abort, destroys the stream with
   * that error: a stream that ends without error delivered every byte asked for. The reader must consume or destroy it.
   * Each chunk is the reader's own, who may free its memory (`freeBuffer`): nothing else is in need of it.
   */
  get(key: string, options?: { range?: ByteRange; signal?: AbortSignal }): Promise<Readable>

  /** Size in bytes, or undefined if there is no such object. */
  head(key: string, options?: { signal?: AbortSignal }): Promise<{ size: number } | undefined>

  /** Removes the object. Removing a key that does not exist succeeds. */
  delete(key: string): Promise<void>

  /** The internal URI of the key: `s3://bucket/key` or `file:///…`. Pure; does not check that the object exists. */
  uri(key: string): string

  /**
   * A URL that lets its bearer GET this one object for `expiresInSeconds`, or undefined if this store has none to
   * give. It is a secret: never log or store it.
   */
  presignGet(key: string, expiresInSeconds: number): Promise<string | undefined>

  /**
   * Start-up self-test: writes, reads back, compares and deletes a canary object. Rejects with an
   * `ObjectStoreError` whose message names the setting to change (bucket, endpoint, key, clock, permissions).
   */
  selfTest(): Promise<void>

  /** Cheap reachability check for `/health`; rejects with `ObjectStoreError`. */
  ping(options?: { signal?: AbortSignal }): Promise<void>

  /** Releases sockets. Idempotent; no other call may follow. */
  close(): Promise<void>
}
