import { ByteCollector } from '../../http/byte-collector.ts'

/** An event that is longer goes on in parts. */
const MAX_HELD = 256 * 1024
/** In bytes, without its last one: what ends an event is four at most. */
const LONGEST_END = 3
const NOTHING = Buffer.alloc(0)
const LF = 0x0a
const CR = 0x0d

/**
 * Lets the bytes of an event stream through up to the end of its last whole event, and holds back the rest until that event is whole. So a
 * stream whose source breaks off can still be ended with an event of ours.
 */
export class WholeEvents {
  readonly #held = new ByteCollector()
  /** The last bytes of what is held: the end of an event may have begun in them. */
  #tail: Buffer = NOTHING
  #isCut = false

  /** True if what was let through ends within an event. */
  get isCut(): boolean {
    return this.#isCut
  }

  /** What may go on; undefined: nothing yet. */
  push(chunk: Buffer): Buffer | undefined {
    // Nearly always a chunk is some whole events, and what it brings is what goes out.
    if (this.#held.size === 0 && endsEvent(chunk)) return this.#pass(chunk, false)
    const seen = this.#tail.length === 0 ? chunk : Buffer.concat([this.#tail, chunk])
    const end = lastEventEnd(seen) - this.#tail.length
    if (end > 0) {
      this.#held.add(chunk.subarray(0, end))
      const whole = this.#release()
      this.#hold(chunk.subarray(end))
      return this.#pass(whole, false)
    }
    this.#hold(chunk, seen)
    return this.#held.size > MAX_HELD ? this.#pass(this.#release(), true) : undefined
  }

  /** What was held back, when no more comes. */
  rest(): Buffer | undefined {
    return this.#held.size > 0 ? this.#release() : undefined
  }

  #hold(chunk: Buffer, seen = chunk): void {
    this.#tail = seen.subarray(-LONGEST_END)
    if (chunk.length > 0) this.#held.add(chunk)
  }

  #release(): Buffer {
    const bytes = this.#held.bytes()
    this.#held.clear()
    this.#tail = NOTHING
    return bytes
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
