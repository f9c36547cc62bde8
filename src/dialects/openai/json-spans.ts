import {
  type Budget,
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COMMA,
  JsonSpanError,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  skipSpace,
  stringEnd,
  valueEnd,
  valueStart,
} from './json-scan.ts'

export { JsonSpanError } from './json-scan.ts'

/** Where a value stands in the bytes: from `start` up to, without, `end`. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** Puts `text` in the place of the bytes from `start` up to `end`; equal positions insert. */
export interface Edit extends Span {
  readonly text: string
}

/** Real bodies have some dozens. */
const MAX_MEMBERS = 1_000
/** Of the whole body, each element and member being one. Long chats have some ten thousands; time for reading goes by these, not by bytes. */
const MAX_VALUES = 250_000
/** In bytes, escapes included. What is longer is none of the names that anything here asks for. */
const LONGEST_NAME = 200

/**
 * Finds values in JSON text without parsing the whole, so that a body can be changed in one place and stays as it was,
 * byte for byte, everywhere else. Construction checks the structure in one pass, linear in the length and without
 * recursion; what stands inside strings is not looked at. A BOM before the text is allowed.
 *
 * @throws JsonSpanError if the text is no JSON object, nests deeper than 500 levels, or has more than 1,000 members or 250,000 values.
 */
export class JsonSpans {
  readonly root: Span
  readonly #bytes: Buffer
  readonly #members = new Map<string, Span>()
  readonly #repeated = new Map<string, number>()
  readonly #isEmpty: boolean

  constructor(bytes: Buffer) {
    this.#bytes = bytes
    const start = skipSpace(bytes, bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0)
    if (bytes[start] !== OPEN_OBJECT) throw new JsonSpanError('an object is expected', start)
    let count = 0
    const budget = { left: MAX_VALUES }
    const visit = (name: string | undefined, value: Span) => {
      if (++count > MAX_MEMBERS) throw new JsonSpanError('too many members', value.start)
      if (name === undefined) return
      if (this.#members.has(name)) this.#repeated.set(name, value.start)
      else this.#members.set(name, value)
    }
    const end = this.#walkObject(start, visit, budget)
    const after = skipSpace(bytes, end)
    if (after < bytes.length) throw new JsonSpanError('something follows the object', after)
    this.root = { start, end }
    this.#isEmpty = count === 0
  }

  /**
   * The value of a member of the outermost object.
   * @throws JsonSpanError if the member occurs twice: readers differ in which of the two they take.
   */
  member(name: string): Span | undefined {
    const again = this.#repeated.get(name)
    if (again !== undefined) throw new JsonSpanError(`the member "${name}" occurs twice, the second time`, again)
    return this.#members.get(name)
  }

  /** The value of a member of an object inside; the last one if it occurs twice, as for `JSON.parse`. */
  memberOf(object: Span, name: string): Span | undefined {
    if (this.#bytes[object.start] !== OPEN_OBJECT) return undefined
    let found: Span | undefined
    this.#walkObject(object.start, (member, value) => {
      if (member === name) found = value
    })
    return found
  }

  /** The elements of an array, in order; none of what is no array. */
  *elements(array: Span): Generator<Span> {
    if (this.#bytes[array.start] !== OPEN_ARRAY) return
    let at = skipSpace(this.#bytes, array.start + 1)
    while (this.#bytes[at] !== CLOSE_ARRAY) {
      const end = valueEnd(this.#bytes, at)
      yield { start: at, end }
      at = skipSpace(this.#bytes, end)
      if (this.#bytes[at] === COMMA) at = skipSpace(this.#bytes, at + 1)
    }
  }

  kind(value: Span): 'object' | 'array' | 'string' | 'null' | 'other' {
    const first = this.#bytes[value.start]
    if (first === OPEN_OBJECT) return 'object'
    if (first === OPEN_ARRAY) return 'array'
    if (first === QUOTE) return 'string'
    return first === 0x6e ? 'null' : 'other'
  }

  /** The bytes of a value, as they are. */
  source(value: Span): string {
    return this.#bytes.toString('utf8', value.start, value.end)
  }

  /** The value, parsed; undefined if a string in it is malformed. */
  parse(value: Span): unknown {
    try {
      return JSON.parse(this.source(value))
    } catch {
      return undefined
    }
  }

  /** The edit that gives the outermost object a member more. `json` is its value. */
  addMember(name: string, json: string): Edit {
    const at = this.root.start + 1
    return { start: at, end: at, text: `${JSON.stringify(name)}:${json}${this.#isEmpty ? '' : ','}` }
  }

  /** A member of the outermost object that is a string. */
  text(name: string): string | undefined {
    const span = this.member(name)
    const value = span && this.kind(span) === 'string' ? this.parse(span) : undefined
    return typeof value === 'string' ? value : undefined
  }

  /** Visits the members of the object at `at`; a name is undefined if it is too long to be one that matters. */
  #walkObject(at: number, visit: (name: string | undefined, value: Span) => void, budget?: Budget): number {
    const bytes = this.#bytes
    let next = skipSpace(this.#bytes, at + 1)
    if (bytes[next] === CLOSE_OBJECT) return next + 1
    for (;;) {
      const start = valueStart(this.#bytes, next)
      const end = valueEnd(this.#bytes, start, budget)
      visit(this.#nameAt(next), { start, end })
      next = skipSpace(this.#bytes, end)
      if (bytes[next] === CLOSE_OBJECT) return next + 1
      if (bytes[next] !== COMMA) throw new JsonSpanError('a comma or a closing brace is expected', next)
      next = skipSpace(this.#bytes, next + 1)
    }
  }

  #nameAt(at: number): string | undefined {
    const end = stringEnd(this.#bytes, at)
    if (end - at > LONGEST_NAME) return undefined
    const name = this.parse({ start: at, end })
    return typeof name === 'string' ? name : undefined
  }
}

/** The bytes with the edits made. `chunks` share the memory of `bytes` where nothing changes; `length` is their sum. */
export function splice(bytes: Buffer, edits: readonly Edit[]): { chunks: Buffer[]; length: number } {
  const chunks: Buffer[] = []
  let length = 0
  const add = (chunk: Buffer) => {
    if (chunk.length > 0) chunks.push(chunk)
    length += chunk.length
  }
  let from = 0
  for (const edit of edits.toSorted((a, b) => a.start - b.start)) {
    if (edit.start < from) throw new RangeError('two edits overlap')
    add(bytes.subarray(from, edit.start))
    add(Buffer.from(edit.text))
    from = edit.end
  }
  add(bytes.subarray(from))
  return { chunks, length }
}
