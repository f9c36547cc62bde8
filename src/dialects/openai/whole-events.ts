/** An event that is longer goes on in parts. */
const MAX_HELD = 256 * 1024
const LF = 0x0a
const CR = 0x0d

/**
 * Lets the bytes of an event stream through up to the end of its last whole event, and holds back the rest until that event is whole. So a
 * stream whose source breaks off can still be ended with an event of ours.
 */
export class WholeEvents {
  #held: Buffer[] = []
  #heldBytes = 0
  #isCut = false

  /** True if what was let through ends within an event. */
  get isCut(): boolean {
    return this.#isCut
  }

  /** What may go on; undefined: nothing yet. */
  push(chunk: Buffer): Buffer | undefined {
    // Nearly always a chunk is some whole events, and what it brings is what goes out.
    if (this.#heldBytes === 0 && endsEvent(chunk)) return this.#pass(chunk, false)
    const bytes = this.#heldBytes === 0 ? chunk : Buffer.concat([...this.#held, chunk])
    const end = lastEventEnd(bytes)
    const isTooLong = bytes.length - end > MAX_HELD
    const passed = isTooLong ? bytes : bytes.subarray(0, end)
    const rest = bytes.subarray(passed.length)
    this.#held = rest.length > 0 ? [rest] : []
    this.#heldBytes = rest.length
    return passed.length > 0 ? this.#pass(passed, isTooLong) : undefined
  }

  /** What was held back, when no more comes. */
  rest(): Buffer | undefined {
    const [rest] = this.#held
    this.#held = []
    this.#heldBytes = 0
    return rest
  }

  #pass(bytes: Buffer, isCut: boolean): Buffer {
    this.#isCut = isCut
    return bytes
  }
}

function endsEvent(bytes: Buffer): boolean {
  const { length } = bytes
  if (bytes[length - 1] !== LF) return false
  return bytes[length - 2] === LF || (bytes[length - 2] === CR && bytes[length - 3] === LF)
}

/** The offset after the last blank line; 0 if there is none. */
function lastEventEnd(bytes: Buffer): number {
  const lf = bytes.lastIndexOf('\n\n', undefined, 'latin1')
  const crlf = bytes.lastIndexOf('\r\n\r\n', undefined, 'latin1')
  return Math.max(lf === -1 ? 0 : lf + 2, crlf === -1 ? 0 : crlf + 4)
}
