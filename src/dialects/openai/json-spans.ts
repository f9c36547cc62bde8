/** Where a value stands in the bytes: from `start` up to, without, `end`. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** Puts `text` in the place of the bytes from `start` up to `end`; equal positions insert. */
export interface Edit extends Span {
  readonly text: string
}

/** The bytes are no JSON object as it is needed here. `position` is the offset of the byte at fault. */
export class JsonSpanError extends Error {
  override name = 'JsonSpanError'
  readonly position: number
  constructor(reason: string, position: number) {
    super(`The body is not valid JSON: ${reason} at byte ${position}.`)
    this.position = position
  }
}

const MAX_DEPTH = 500
/** Real bodies have some dozens. */
const MAX_MEMBERS = 1_000
/** In bytes, escapes included. What is longer is none of the names that anything here asks for. */
const LONGEST_NAME = 200
/** A string is looked through byte by byte so far; beyond, and after an escaped quote, the native search pays off again. */
const NEAR = 32
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_ARRAY = 0x5b
const BACKSLASH = 0x5c
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/**
 * Finds values in JSON text without parsing the whole, so that a body can be changed in one place and stays as it was,
 * byte for byte, everywhere else. Construction checks the structure in one pass, linear in the length and without
 * recursion; what stands inside strings is not looked at. A BOM before the text is allowed.
 *
 * @throws JsonSpanError if the text is no JSON object, nests deeper than 500 levels, or has more than 1,000 members.
 */
export class JsonSpans {
  readonly root: Span
  readonly #bytes: Buffer
  readonly #members = new Map<string, Span>()
  readonly #repeated = new Map<string, number>()

  constructor(bytes: Buffer) {
    this.#bytes = bytes
    const start = this.#space(bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0)
    if (bytes[start] !== OPEN_OBJECT) throw new JsonSpanError('an object is expected', start)
    let count = 0
    const end = this.#walkObject(start, (name, value) => {
      if (++count > MAX_MEMBERS) throw new JsonSpanError('too many members', value.start)
      if (name === undefined) return
      if (this.#members.has(name)) this.#repeated.set(name, value.start)
      else this.#members.set(name, value)
    })
    const after = this.#space(end)
    if (after < bytes.length) throw new JsonSpanError('something follows the object', after)
    this.root = { start, end }
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
    let at = this.#space(array.start + 1)
    while (this.#bytes[at] !== CLOSE_ARRAY) {
      const end = this.#value(at)
      yield { start: at, end }
      at = this.#space(end)
      if (this.#bytes[at] === COMMA) at = this.#space(at + 1)
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

  /** A member of the outermost object that is a string. */
  text(name: string): string | undefined {
    const span = this.member(name)
    const value = span && this.kind(span) === 'string' ? this.parse(span) : undefined
    return typeof value === 'string' ? value : undefined
  }

  /** Visits the members of the object at `at`; a name is undefined if it is too long to be one that matters. */
  #walkObject(at: number, visit: (name: string | undefined, value: Span) => void): number {
    const bytes = this.#bytes
    let next = this.#space(at + 1)
    if (bytes[next] === CLOSE_OBJECT) return next + 1
    for (;;) {
      const start = this.#afterName(next)
      const end = this.#value(start)
      visit(this.#nameAt(next), { start, end })
      next = this.#space(end)
      if (bytes[next] === CLOSE_OBJECT) return next + 1
      if (bytes[next] !== COMMA) throw new JsonSpanError('a comma or a closing brace is expected', next)
      next = this.#space(next + 1)
    }
  }

  /** The end of the value at `at`. */
  #value(at: number): number {
    const bytes = this.#bytes
    const closers: number[] = []
    let next = at
    for (;;) {
      const first = bytes[next]
      if (first === OPEN_OBJECT || first === OPEN_ARRAY) {
        if (closers.length === MAX_DEPTH) throw new JsonSpanError('it nests too deep', next)
        const closer = first === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY
        next = this.#space(next + 1)
        if (bytes[next] !== closer) {
          closers.push(closer)
          if (closer === CLOSE_OBJECT) next = this.#afterName(next)
          continue
        }
        next++
      } else {
        next = this.#scalar(next)
      }
      while (closers.length > 0) {
        next = this.#space(next)
        const closer = closers.at(-1)
        if (bytes[next] === COMMA) {
          next = this.#space(next + 1)
          if (closer === CLOSE_OBJECT) next = this.#afterName(next)
          break
        }
        if (bytes[next] !== closer) throw new JsonSpanError('a comma or a closing bracket is expected', next)
        closers.pop()
        next++
      }
      if (closers.length === 0) return next
    }
  }

  /** Where the value begins whose member's name is at `at`. */
  #afterName(at: number): number {
    if (this.#bytes[at] !== QUOTE) throw new JsonSpanError('a name in quotes is expected', at)
    const colon = this.#space(this.#string(at))
    if (this.#bytes[colon] !== COLON) throw new JsonSpanError('a colon is expected', colon)
    return this.#space(colon + 1)
  }

  #nameAt(at: number): string | undefined {
    const end = this.#string(at)
    if (end - at > LONGEST_NAME) return undefined
    const name = this.parse({ start: at, end })
    return typeof name === 'string' ? name : undefined
  }

  #scalar(at: number): number {
    const bytes = this.#bytes
    const first = bytes[at]
    if (first === QUOTE) return this.#string(at)
    let end = at
    while (end < bytes.length && isOfScalar(bytes[end] ?? 0)) end++
    const text = bytes.latin1Slice(at, end)
    if (text !== 'true' && text !== 'false' && text !== 'null' && !NUMBER.test(text)) {
      throw new JsonSpanError('a value is expected', at)
    }
    return end
  }

  /** The end of the string whose opening quote is at `open`. */
  #string(open: number): number {
    const bytes = this.#bytes
    let next = open + 1
    for (;;) {
      const near = Math.min(next + NEAR, bytes.length)
      while (next < near) {
        const byte = bytes[next]
        if (byte === QUOTE) return next + 1
        next += byte === BACKSLASH ? 2 : 1
      }
      const quote = next < bytes.length ? bytes.indexOf(QUOTE, next) : -1
      if (quote === -1) throw new JsonSpanError('a string does not end', open)
      let backslashes = 0
      while (quote - backslashes > next && bytes[quote - backslashes - 1] === BACKSLASH) backslashes++
      if (backslashes % 2 === 0) return quote + 1
      next = quote + 1
    }
  }

  #space(at: number): number {
    const bytes = this.#bytes
    let next = at
    for (;;) {
      const byte = bytes[next]
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return next
      next++
    }
  }
}

/** Letters of `true`, `false`, `null`, and what numbers are made of. */
function isOfScalar(byte: number): boolean {
  if (byte >= 0x30 && byte <= 0x39) return true
  return (byte >= 0x61 && byte <= 0x7a) || byte === 0x2d || byte === 0x2b || byte === 0x2e || byte === 0x45
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
