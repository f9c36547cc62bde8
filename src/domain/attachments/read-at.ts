import { open } from 'node:fs/promises'
import type { SpooledFile } from '../../ports/object-store.ts'

/** Reads up to `length` bytes at a position; fewer at the end of the file. */
export type ReadAt = (position: number, length: number) => Promise<Buffer>

export interface OpenFile extends AsyncDisposable {
  readonly readAt: ReadAt
}

/** Opens a spooled file for reading here and there, from memory or from the disk. */
export async function openSpooled({ bytes, path }: SpooledFile): Promise<OpenFile> {
  if (bytes) {
    return {
      readAt: async (position, length) => bytes.subarray(position, position + length),
      [Symbol.asyncDispose]: async () => {},
    }
  }
  const handle = await open(path, 'r')
  return {
    async readAt(position, length) {
      const buffer = Buffer.alloc(length)
      let filled = 0
      while (filled < length) {
        const { bytesRead } = await handle.read(buffer, filled, length - filled, position + filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      return buffer.subarray(0, filled)
    },
    [Symbol.asyncDispose]: () => handle.close(),
  }
}

/** The same file through a window of bytes that are kept: for many small reads that follow each other. */
export function windowed(readAt: ReadAt, windowBytes: number): ReadAt {
  let start = 0
  let window = Buffer.alloc(0)
  return async (position, length) => {
    if (position < start || position + length > start + window.length) {
      window = Buffer.from(await readAt(position, Math.max(length, windowBytes)))
      start = position
    }
    return window.subarray(position - start, position - start + length)
  }
}
