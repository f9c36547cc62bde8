import { freeBuffer } from '../../../buffers/free-buffer.ts'

/** Of the file at a time: divisible by three, so that pieces join without padding between them. */
const PIECE = 90 * 1024

export function base64Length(size: number): number {
  return 4 * Math.ceil(size / 3)
}

/**
 * Encodes a stream piecewise; neither the whole file nor its base64 is ever held. A piece is good until the next one is asked for:
 * all but the last lie in the same buffer, as a new one for each would keep the garbage collector busy. A socket that is given more
 * than it holds back (64 KiB) has sent it when it asks for more; what is left at the end may be less.
 */
export async function* encodeBase64(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const piece = Buffer.allocUnsafeSlow(PIECE)
  const encoded = Buffer.allocUnsafeSlow(base64Length(PIECE))
  let filled = 0
  for await (const chunk of source) {
    for (let from = 0; from < chunk.length; ) {
      const copied = chunk.copy(piece, filled, from)
      from += copied
      filled += copied
      if (filled < PIECE) continue
      filled = 0
      encoded.write(piece.toString('base64'), 'latin1')
      yield encoded
    }
  }
  if (filled > 0) yield Buffer.from(piece.toString('base64', 0, filled), 'latin1')
  freeBuffer(piece)
}
