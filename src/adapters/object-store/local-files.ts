import { closeSync, createReadStream, fsyncSync, mkdirSync, openSync } from 'node:fs'
import { type FileHandle, mkdir, open, realpath } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { Readable } from 'node:stream'
import { ObjectStoreError, type SpooledFile } from '../../ports/object-store.ts'
import { asError } from './as-error.ts'

const readSize = 128 * 1024

/** Makes names in a directory durable. Windows cannot open directories, and needs no such step. */
export async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return
  await using handle = await open(directory, 'r')
  await handle.sync()
}

/** Creates `directory` and makes its names durable up to the first one that was there before. */
export function makeDurableRoot(directory: string): void {
  const first = mkdirSync(directory, { recursive: true, mode: 0o700 }) ?? directory
  if (process.platform === 'win32') return
  for (let parent = dirname(directory); parent.length >= dirname(first).length; parent = dirname(parent)) {
    syncIfReadable(parent)
    if (parent === dirname(parent)) return
  }
}

/** A parent of ours may be closed to us; its names were there before. */
function syncIfReadable(directory: string): void {
  try {
    const handle = openSync(directory, 'r')
    fsyncSync(handle)
    closeSync(handle)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'EPERM'))) throw error
  }
}

/** Creates `directory` below `root`, makes every step of the way to it durable, and refuses to leave `root` by a symlink. */
export async function makeDurableDirectory(root: string, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await assertInside(root, directory)
  for (let parent = dirname(directory); parent.length >= root.length; parent = dirname(parent)) {
    await syncDirectory(parent)
    if (parent === root) return
  }
}

/** Throws if a symlink below `root` leads elsewhere than the path says. Rejects with ENOENT if there is no such directory. */
export async function assertInside(root: string, directory: string): Promise<void> {
  const expected = join(await realpath(root), relative(root, directory))
  if ((await realpath(directory)) !== expected) {
    throw new ObjectStoreError(`STORAGE_DIR: a symbolic link stands in the way of ${directory}${sep}`)
  }
}

/** Writes the whole file to `path`, which must not exist, and fsyncs it. */
export async function writeDurably(path: string, file: SpooledFile, signal?: AbortSignal): Promise<void> {
  await using handle = await open(path, 'wx', 0o600)
  await handle.writeFile(file.bytes ?? createReadStream(file.path), signal ? { signal } : {})
  const { size } = await handle.stat()
  if (size !== file.size) throw new ObjectStoreError(`${size} bytes were written, not ${file.size}`)
  await handle.sync()
}

/**
 * Reads exactly `length` bytes and closes the handle. A file that ends before that is an error: fs's own streams just
 * end. An abort destroys the stream with the signal's reason.
 */
export function readExactly(handle: FileHandle, start: number, length: number, signal?: AbortSignal): Readable {
  let position = start
  let remaining = length
  const abort = () => stream.destroy(asError(signal?.reason))
  const stream = new Readable({
    highWaterMark: readSize,
    read() {
      if (remaining === 0) {
        this.push(null)
        return
      }
      const chunk = Buffer.allocUnsafe(Math.min(readSize, remaining))
      handle.read(chunk, 0, chunk.length, position).then(
        ({ bytesRead }) => {
          if (bytesRead === 0) return this.destroy(new ObjectStoreError(`the file ends ${remaining} bytes too early`))
          position += bytesRead
          remaining -= bytesRead
          return this.push(chunk.subarray(0, bytesRead))
        },
        (cause: unknown) => this.destroy(new ObjectStoreError('the file could not be read', { cause })),
      )
    },
    destroy(error, done) {
      signal?.removeEventListener('abort', abort)
      handle.close().then(
        () => done(error),
        (cause: unknown) => done(error ?? asError(cause)),
      )
    },
  })
  signal?.addEventListener('abort', abort, { once: true })
  return stream
}
