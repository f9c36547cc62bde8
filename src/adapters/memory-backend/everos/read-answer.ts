/** The answer is longer than we are willing to hold. */
export class AnswerTooLargeError extends Error {
  override name = 'AnswerTooLargeError'
}

/** The first characters stay, so that an escape (`\n`, `\u0041`) which the run begins in stays whole. */
const base64Run = /([A-Za-z0-9+/]{8})[A-Za-z0-9+/]{1000,}/g

/** Collects an answer of at most `maxBytes`; `withoutBase64` cuts long base64 strings out first, chunk by chunk. */
export async function readAnswer(
  body: AsyncIterable<Buffer>,
  maxBytes: number,
  withoutBase64: boolean,
): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    const kept = withoutBase64 ? cutBase64(chunk) : chunk
    size += kept.length
    if (size > maxBytes) throw new AnswerTooLargeError(`the answer is longer than ${maxBytes} bytes`)
    chunks.push(kept)
  }
  return Buffer.concat(chunks).toString()
}

function cutBase64(chunk: Buffer): Buffer {
  return Buffer.from(chunk.toString('latin1').replace(base64Run, '$1'), 'latin1')
}
