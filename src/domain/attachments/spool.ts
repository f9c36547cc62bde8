import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { SpooledFile } from '../../ports/object-store.ts'
import { GatewayError } from '../errors.ts'

/** Files up to this size never touch the disk on their way in. */
const MEMORY_BYTES = 256 * 1024
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
  /** Takes in one file. Rejects with what `source` throws; `unavailable` if the disk is full. */
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
  let file: { handle: FileHandle; path: string } | undefined
  try {
    for await (const chunk of source) {
      hash.update(chunk)
      size += chunk.length
      if (file) {
        await writeAll(file.handle, chunk)
      } else {
        held.push(chunk)
        if (size > memoryBytes) {
          const path = join(dir, randomBytes(16).toString('hex'))
          paths.push(path)
          file = { handle: await open(path, 'wx', 0o600), path }
          for (const part of held) await writeAll(file.handle, part)
          held = []
        }
      }
    }
  } catch (error) {
    throw isDiskFull(error)
      ? new GatewayError('unavailable', 'The gateway has no room for the upload now. Try again later.', {
          cause: error,
          retryAfter: 30,
        })
      : error
  } finally {
    await file?.handle.close()
  }
  const sha256 = hash.digest('hex')
  return file ? { size, sha256, path: file.path } : { size, sha256, bytes: Buffer.concat(held) }
}

async function writeAll(handle: FileHandle, chunk: Buffer): Promise<void> {
  for (let written = 0; written < chunk.length; ) {
    written += (await handle.write(chunk, written)).bytesWritten
  }
}

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
}
