import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { freeBuffer } from '../../buffers/free-buffer.ts'
import type { SpooledFile } from '../../ports/object-store.ts'
import { GatewayError } from '../errors.ts'

/** Files up to this size never touch the disk on their way in. */
const MEMORY_BYTES = 256 * 1024
/** Of each write of a larger one, and held for it. */
const WRITE_BYTES = 512 * 1024
/** Left behind by a process that died: an upload lasts five minutes at most, but a model may answer for long to a chat with files. */
const STALE_MS = 2 * 60 * 60_000

/** Takes files in: hashes and counts each chunk once, on its way to memory or to a private temp file. */
export interface Spool {
  /**
   * A place for the files of one request; dispose of it when the request is over. Files of up to `memoryBytes` (default 256 KiB) are held in
   * memory.
   */
  open(options?: { memoryBytes: number }): SpoolSession
}

export interface SpoolSession extends AsyncDisposable {
  /** Takes in one file. Of a chunk nothing is needed any more when the next is asked for. Rejects with what `source` throws; `unavailable` if the disk is full. */
  take(source: AsyncIterable<Buffer>): Promise<SpooledFile>
}

/** Opens the folder for temp files, and clears what a dead process left there. */
export function createSpool(dir: string): Spool {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  for (const name of readdirSync(dir)) {
    const path = join(dir, name)
    // Another process that starts may have removed it by now.
    const stat = statSync(path, { throwIfNoEntry: false })
    if (stat?.isFile() && Date.now() - stat.mtimeMs > STALE_MS) rmSync(path, { force: true })
  }
  return {
    open({ memoryBytes } = { memoryBytes: MEMORY_BYTES }) {
      const paths: string[] = []
      return {
        take: (source) => takeFile(source, dir, paths, memoryBytes),
        async [Symbol.asyncDispose]() {
          await Promise.all(paths.map((path) => rm(path, { force: true })))
        },
      }
    },
  }
}

async function takeFile(
  source: AsyncIterable<Buffer>,
  dir: string,
  paths: string[],
  memoryBytes: number,
): Promise<SpooledFile> {
  const hash = createHash('sha256')
  let held: Buffer[] = []
  let size = 0
  let file: TempFile | undefined
  try {
    for await (const chunk of source) {
      hash.update(chunk)
      size += chunk.length
      if (file) {
        await file.write(chunk)
      } else {
        held.push(Buffer.from(chunk))
        if (size > memoryBytes) {
          const path = join(dir, randomBytes(16).toString('hex'))
          paths.push(path)
          file = new TempFile(await open(path, 'wx', 0o600), path)
          for (const part of held) await file.write(part)
          held = []
        }
      }
    }
    await file?.flush()
  } catch (error) {
    throw isDiskFull(error)
      ? new GatewayError('unavailable', 'The gateway has no room for the upload now. Try again later.', {
          cause: error,
          retryAfter: 30,
        })
      : error
  } finally {
    await file?.close()
  }
  const sha256 = hash.digest('hex')
  return file ? { size, sha256, path: file.path } : { size, sha256, bytes: Buffer.concat(held) }
}

/**
 * Gathers what comes into large writes: each is a trip to another thread, which costs more than the copy. And what the socket has read can be
 * freed at once then. A second buffer, filled while the first is written, would bring nothing: the socket reads on meanwhile.
 */
class TempFile {
  readonly path: string
  readonly #handle: FileHandle
  readonly #gathered = Buffer.allocUnsafeSlow(WRITE_BYTES)
  #filled = 0

  constructor(handle: FileHandle, path: string) {
    this.#handle = handle
    this.path = path
  }

  async write(chunk: Buffer): Promise<void> {
    for (let from = 0; from < chunk.length; ) {
      const copied = chunk.copy(this.#gathered, this.#filled, from)
      from += copied
      this.#filled += copied
      if (this.#filled === WRITE_BYTES) await this.flush()
    }
  }

  /** Writes what has been gathered; to be called at the end, too. */
  async flush(): Promise<void> {
    for (let written = 0; written < this.#filled; ) {
      written += (await this.#handle.write(this.#gathered, written, this.#filled - written)).bytesWritten
    }
    this.#filled = 0
  }

  async close(): Promise<void> {
    await this.#handle.close()
    freeBuffer(this.#gathered)
  }
}

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
}
