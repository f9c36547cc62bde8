import type { AnswerTap } from './chat-format.ts'
import type { AnswerDraft } from './formats/answer.ts'

/** What a format knows of its events. */
export interface EventReader {
  /** Whether an event is the end of the stream; undefined if what is known of it so far does not say. */
  isTerminal(event: string | undefined, data: string | undefined): boolean | undefined
  /** Takes in an event that has come whole. */
  read(event: string | undefined, data: string): void
  readonly draft: AnswerDraft
}

const LF = 0x0a
const CR = 0x0d
const COLON = 0x3a
/** A line that is longer is sent on before it ends, if it is known not to be of the terminal event. */
const LONG_LINE = 64 * 1024
/** Of an event, in bytes. What is longer passes, but is not read. */
const MAX_EVENT = 24 * 1024 * 1024

/**
 * Reads a stream of server-sent events line by line. A line passes as soon as it is known not to belong to the terminal
 * event; that event, and all that follows it, is held back. Lines end with `\n`, `\r\n` or `\r`.
 */
export class SseTap implements AnswerTap {
  readonly #reader: EventReader
  /** Came in earlier pushes and has not been let pass. */
  #held: Buffer[] = []
  #heldSize = 0
  /** The beginning of a line of which the end has not come. */
  #line: Buffer[] = []
  #lineSize = 0
  #skipsLf = false
  #isEnded = false
  #isReleased = false
  #isMidEvent = false
  #lastData = ''

  // Of the event that is coming.
  #event: string | undefined
  #data: string[] = []
  #size = 0
  #hasFields = false
  #isTerminal: boolean | undefined

  constructor(reader: EventReader) {
    this.#reader = reader
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  get isMidEvent(): boolean {
    return this.#isMidEvent
  }

  get sequence(): number {
    return Number(/"sequence_number":\s*(\d{1,15})/.exec(this.#lastData)?.[1] ?? 0)
  }

  push(chunk: Buffer): Buffer[] {
    if (chunk.length === 0) return []
    if (this.#isReleased) return [chunk]
    return this.#letPass(chunk, this.#isEnded ? 0 : this.#readLines(chunk))
  }

  rest(): Buffer[] {
    this.#isReleased = true
    return this.#release()
  }

  #release(): Buffer[] {
    const held = this.#held
    this.#held = []
    this.#heldSize = 0
    return held
  }

  answer() {
    if (!this.#isEnded) {
      // The last event may lack its blank line, or even the end of its line.
      this.#readLine(this.#takeLine(Buffer.alloc(0)))
      this.#endEvent()
    }
    return this.#reader.draft.answer(this.#isEnded)
  }

  /** Reads the lines that end in the chunk. Answers how many bytes of it may pass. */
  #readLines(chunk: Buffer): number {
    let passing = 0
    let at = 0
    if (this.#skipsLf && chunk[0] === LF) {
      at = 1
      if (this.#held.length === 0) passing = 1
    }
    this.#skipsLf = false
    const nextEnd = lineEnds(chunk)
    for (let end = nextEnd(at); end !== -1; end = nextEnd(at)) {
      const line = this.#takeLine(chunk.subarray(at, end))
      at = end + 1
      if (chunk[end] === CR) {
        if (chunk[at] === LF) at++
        else this.#skipsLf = at === chunk.length
      }
      if (this.#readLine(line)) passing = at
      if (this.#isEnded) return passing
    }
    return this.#keepBeginning(chunk.subarray(at)) ? chunk.length : passing
  }

  /** Keeps the beginning of a line. True if it may pass already. */
  #keepBeginning(beginning: Buffer): boolean {
    if (beginning.length === 0) return false
    this.#lineSize += beginning.length
    const isTooLong = this.#size + this.#lineSize > MAX_EVENT
    if (isTooLong) this.#line = []
    else this.#line.push(beginning)
    if (this.#lineSize <= LONG_LINE) return false
    const first = this.#line[0]
    if (this.#isTerminal === undefined && first) {
      const [name, value] = fieldOf(first.toString('utf8', 0, 256))
      if (name === 'data') this.#isTerminal = this.#reader.isTerminal(this.#event, value)
    }
    if (this.#isTerminal === false || (this.#isTerminal === undefined && isTooLong)) this.#isMidEvent = true
    return this.#isMidEvent
  }

  /** Takes in a line without its end. True if all until its end may pass. */
  #readLine(line: Buffer): boolean {
    if (line.length === 0) {
      this.#endEvent()
      return !this.#isEnded
    }
    if (line[0] === COLON) return !this.#hasFields || this.#isMidEvent
    const [name, value] = fieldOf(line.toString())
    this.#hasFields = true
    if (name === 'event') this.#event = value
    if (name === 'data') this.#data.push(value)
    this.#isTerminal ??= this.#reader.isTerminal(this.#event, this.#data.at(-1))
    // The name alone is kept back: a client that gets it, and then an error, would take it for an event without data.
    if (this.#isTerminal === false && this.#data.length > 0) this.#isMidEvent = true
    return this.#isMidEvent
  }

  #endEvent(): void {
    if (this.#data.length > 0) {
      const data = this.#data.join('\n')
      this.#isTerminal ??= this.#reader.isTerminal(this.#event, data)
      this.#lastData = data
      if (this.#size <= MAX_EVENT) this.#reader.read(this.#event, data)
    }
    if (this.#isTerminal === true) this.#isEnded = true
    this.#event = undefined
    this.#data = []
    this.#size = 0
    this.#hasFields = false
    this.#isTerminal = undefined
    this.#isMidEvent = false
  }

  /** The whole line of which `end` is the end. */
  #takeLine(end: Buffer): Buffer {
    this.#size += this.#lineSize + end.length
    const isTooLong = this.#size > MAX_EVENT && this.#lineSize + end.length > 0
    if (isTooLong) this.#reader.draft.isTruncated = true
    const line = this.#line.length === 0 ? end : Buffer.concat([...this.#line, end])
    this.#line = []
    this.#lineSize = 0
    return isTooLong ? TOO_LONG : line
  }

  #letPass(chunk: Buffer, passing: number): Buffer[] {
    const out: Buffer[] = []
    if (passing > 0) {
      out.push(...this.#release(), chunk.subarray(0, passing))
    }
    if (passing < chunk.length) {
      const kept = chunk.subarray(passing)
      if (this.#heldSize + kept.length > MAX_EVENT) out.push(...this.#release())
      this.#held.push(kept)
      this.#heldSize += kept.length
    }
    return out
  }
}

/** Stands for a line that is too long to be read. */
const TOO_LONG = Buffer.from('data')

/** Answers where the next line of the chunk ends, from a position on; -1 if in no position. */
function lineEnds(chunk: Buffer): (from: number) => number {
  let lf = chunk.indexOf(LF)
  let cr = chunk.indexOf(CR)
  return (from) => {
    if (lf !== -1 && lf < from) lf = chunk.indexOf(LF, from)
    if (cr !== -1 && cr < from) cr = chunk.indexOf(CR, from)
    return lf === -1 || cr === -1 ? Math.max(lf, cr) : Math.min(lf, cr)
  }
}

function fieldOf(line: string): readonly [name: string, value: string] {
  const colon = line.indexOf(':')
  if (colon === -1) return [line, '']
  return [line.slice(0, colon), line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)]
}
