/** The answer is longer than we are willing to hold. */
export class AnswerTooLargeError extends Error {
  override name = 'AnswerTooLargeError'
}

/** Collects an answer of at most `maxBytes`; `shortened` cuts the long strings of its JSON before they are counted. */
export async function readAnswer(body: AsyncIterable<Buffer>, maxBytes: number, shortened: boolean): Promise<string> {
  const cutter = shortened ? new StringCutter() : undefined
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    const kept = cutter ? cutter.cut(chunk) : chunk
    size += kept.length
    if (size > maxBytes) throw new AnswerTooLargeError(`the answer is longer than ${maxBytes} bytes`)
    chunks.push(kept)
  }
  return Buffer.concat(chunks).toString()
}

const KEPT = 1_000
const run = /(?:[^"\\]+|\\u[0-9a-fA-F]{4}|\\[^u])+/g
/** Long enough that an escape cut in two by the end of the last chunk stays whole. */
const headOfRun = /^(?:[^"\\]|\\u[0-9a-fA-F]{4}|\\[^u]){8}/

/**
 * Cuts what lies between two quotes if it is long, chunk by chunk: the JSON stays valid, and a search's look into a
 * session's buffer, which answers with the files and their texts, becomes small. Bytes are read as latin1: a character
 * cut in two is no matter in a string that nobody reads.
 */
class StringCutter {
  /** A backslash that ended the last chunk: it belongs to what follows. */
  #escape = ''

  cut(chunk: Buffer): Buffer {
    let text = this.#escape + chunk.toString('latin1')
    const backslashes = /\\*$/.exec(text)?.[0].length ?? 0
    this.#escape = backslashes % 2 === 1 ? '\\' : ''
    if (this.#escape) text = text.slice(0, -1)
    return Buffer.from(text.replace(run, shorten), 'latin1')
  }
}

function shorten(text: string): string {
  return text.length > KEPT ? (headOfRun.exec(text)?.[0] ?? text) : text
}
