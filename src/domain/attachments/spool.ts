import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { SpooledFile } from '../../ports/object-store.ts'
import { GatewayError } from '../errors.ts'

/** Files up to this size never touch the disk on their way in. */
const MEMORY_BYTES = 256 * 1024
/** Of each write of a larger one; twice as much is held. */
const WRITE_BYTES = 256 * 1024
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
 * Gathers what comes into large writes, of which one is under way while the next is gathered. The bytes are copied: what the
 * socket has read can be freed at once then, and a write of 64 KiB costs more than its copy.
 */
class TempFile {
  readonly path: string
  readonly #handle: FileHandle
  #gathered: Buffer = Buffer.allocUnsafeSlow(WRITE_BYTES)
  #spare: Buffer | undefined
  #filled = 0
  #writing: Promise<void> = Promise.resolve()

  constructor(handle: FileHandle, path: string) {
    this.#handle = handle
    this.path = path
  }

  async write(chunk: Buffer): Promise<void> {
    for (let from = 0; from < chunk.length; ) {
      const copied = chunk.copy(this.#gathered, this.#filled, from)
      from += copied
      this.#filled += copied
      if (this.#filled === WRITE_BYTES) await this.#writeOut()
    }
  }

  /** Resolves when all has been written. */
  async flush(): Promise<void> {
    if (this.#filled > 0) await this.#writeOut()
    await this.#writing
  }

  /** Also after a failure: no write is under way afterwards. */
  async close(): Promise<void> {
    await this.#writing.catch(() => {})
    await this.#handle.close()
  }

  /** Waits for the write before this one alone. */
  async #writeOut(): Promise<void> {
    await this.#writing
    const full = this.#gathered
    this.#writing = writeAll(this.#handle, full.subarray(0, this.#filled))
    // Its failure is seen by whoever waits for it next.
    this.#writing.catch(() => {})
    this.#gathered = this.#spare ?? Buffer.allocUnsafeSlow(WRITE_BYTES)
    this.#spare = full
    this.#filled = 0
  }
}

async function writeAll(handle: FileHandle, bytes: Buffer): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    written += (await handle.write(bytes, written)).bytesWritten
  }
}

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
}
