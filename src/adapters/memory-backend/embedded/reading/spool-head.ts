import { createHash, type Hash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

async function* first(bytes: number, source: Readable, hash: Hash): AsyncGenerator<Buffer> {
  let left = bytes
  for await (const chunk of source as AsyncIterable<Buffer>) {
    const wanted = chunk.length > left ? chunk.subarray(0, left) : chunk
    hash.update(wanted)
    yield wanted
    left -= wanted.length
    if (left === 0) return
  }
}

/** Writes at most the first `bytes` of a stream to a new, private file; returns their SHA-256. Consumes or destroys the stream. */
export async function spoolHead(
  source: Readable,
  bytes: number,
  path: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const hash = createHash('sha256')
  try {
    await pipeline(first(bytes, source, hash), createWriteStream(path, { flags: 'wx', mode: 0o600 }), { signal })
    return hash.digest('hex')
  } finally {
    source.destroy()
  }
}
