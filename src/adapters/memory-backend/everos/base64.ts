/** Divisible by three, so that pieces join without padding between them. */
const PIECE = 90 * 1024

export function base64Length(size: number): number {
  return 4 * Math.ceil(size / 3)
}

/**
 * Encodes a stream piecewise; neither the whole file nor its base64 is ever held. One buffer is filled again and again,
 * as each piece leaves as a Buffer of its own.
 */
export async function* encodeBase64(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const piece = Buffer.allocUnsafe(PIECE)
  let filled = 0
  for await (const chunk of source) {
    for (let from = 0; from < chunk.length; ) {
      const copied = chunk.copy(piece, filled, from)
      from += copied
      filled += copied
      if (filled < PIECE) continue
      filled = 0
      yield encode(piece)
    }
  }
  if (filled > 0) yield encode(piece.subarray(0, filled))
}

function encode(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('base64'), 'latin1')
}
