import { createHash } from 'node:crypto'
import { pipeline, type Readable, Transform } from 'node:stream'

/** What was read back is not what was taken in. */
export class CorruptBytesError extends Error {
  override name = 'CorruptBytesError'
}

/**
 * Passes on a full read, and fails it with `CorruptBytesError` before its end if size or SHA-256 are not the expected
 * ones: the last chunk is withheld until they match, so a reader that counts bytes never takes wrong ones for the whole.
 * An error on either side destroys the other.
 */
export function verifySha256(stream: Readable, expected: { sha256: string; size: number }): Readable {
  const hash = createHash('sha256')
  let size = 0
  let withheld: Buffer | undefined
  const verified = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (chunk.length === 0) return done()
      size += chunk.length
      if (size > expected.size)
        return done(new CorruptBytesError(`more than the expected ${expected.size} bytes were read`))
      hash.update(chunk)
      if (withheld) this.push(withheld)
      withheld = chunk
      return done()
    },
    flush(done) {
      if (size !== expected.size) return done(new CorruptBytesError(`${size} bytes were read, not ${expected.size}`))
      if (hash.digest('hex') !== expected.sha256)
        return done(new CorruptBytesError('the SHA-256 of the bytes read is wrong'))
      if (withheld) this.push(withheld)
      return done()
    },
  })
  // The error reaches the reader through `verified`; this callback only keeps it from being thrown as well.
  return pipeline(stream, verified, () => {})
}
