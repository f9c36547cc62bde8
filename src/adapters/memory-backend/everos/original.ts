import { createHash } from 'node:crypto'
import { freeBuffer } from '../../../buffers/free-buffer.ts'
import type { BackendFile } from '../../../ports/memory-backend.ts'
import { ObjectNotFoundError } from '../../../ports/object-store.ts'

/** The stored original could not be read, or is not the file that was taken in. */
export class OriginalError extends Error {
  override name = 'OriginalError'
  /** True if reading it again cannot help. */
  readonly lost: boolean

  constructor(file: BackendFile, problem: string, options: { cause?: unknown; lost: boolean }) {
    super(`the stored original of a ${file.kind} of ${file.size} bytes ${problem}`, { cause: options.cause })
    this.lost = options.lost
  }
}

/**
 * The bytes of the original, each chunk until the next is asked for. Ends only if they are as many as `file.size` and hash to `file.sha256`, and never delivers
 * more; otherwise throws an OriginalError after the last byte. An abort throws the signal's reason.
 */
export async function* readOriginal(file: BackendFile, signal: AbortSignal): AsyncGenerator<Buffer> {
  const hash = createHash('sha256')
  let size = 0
  try {
    for await (const chunk of await file.open(signal)) {
      const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk)
      size += bytes.length
      if (size > file.size) throw new OriginalError(file, 'is longer than it was', { lost: true })
      hash.update(bytes)
      yield bytes
      freeBuffer(bytes)
    }
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof OriginalError) throw error
    throw new OriginalError(file, 'could not be read', { cause: error, lost: error instanceof ObjectNotFoundError })
  }
  if (size < file.size) throw new OriginalError(file, 'is shorter than it was', { lost: true })
  if (hash.digest('hex') !== file.sha256) throw new OriginalError(file, 'has other content than it had', { lost: true })
}
