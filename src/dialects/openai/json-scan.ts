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
/** A string is looked through byte by byte so far; beyond, and after an escaped quote, the native search pays off again. */
const NEAR = 32
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

export const QUOTE = 0x22
export const COMMA = 0x2c
const ZERO = 0x30
const COLON = 0x3a
export const OPEN_ARRAY = 0x5b
const BACKSLASH = 0x5c
export const CLOSE_ARRAY = 0x5d
export const OPEN_OBJECT = 0x7b
export const CLOSE_OBJECT = 0x7d

/** How many more values there may be. */
export interface Budget {
  left: number
}

/** The end of the value at `at`. */
export function valueEnd(bytes: Buffer, at: number, budget: Budget = { left: Number.POSITIVE_INFINITY }): number {
  const closers: number[] = []
  let next = at
  for (;;) {
    if (--budget.left < 0) throw new JsonSpanError('too many values', next)
    const first = bytes[next]
    if (first === OPEN_OBJECT || first === OPEN_ARRAY) {
      if (closers.length === MAX_DEPTH) throw new JsonSpanError('it nests too deep', next)
      const closer = first === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY
      next = skipSpace(bytes, next + 1)
      if (bytes[next] !== closer) {
        closers.push(closer)
        if (closer === CLOSE_OBJECT) next = valueStart(bytes, next)
        continue
      }
      next++
    } else {
      next = scalarEnd(bytes, next)
    }
    while (closers.length > 0) {
      next = skipSpace(bytes, next)
      const closer = closers.at(-1)
      if (bytes[next] === COMMA) {
        next = skipSpace(bytes, next + 1)
        if (closer === CLOSE_OBJECT) next = valueStart(bytes, next)
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
export function valueStart(bytes: Buffer, at: number): number {
  if (bytes[at] !== QUOTE) throw new JsonSpanError('a name in quotes is expected', at)
  const colon = skipSpace(bytes, stringEnd(bytes, at))
  if (bytes[colon] !== COLON) throw new JsonSpanError('a colon is expected', colon)
  return skipSpace(bytes, colon + 1)
}

function scalarEnd(bytes: Buffer, at: number): number {
  if (bytes[at] === QUOTE) return stringEnd(bytes, at)
  let end = at
  while (isDigit(bytes[end])) end++
  const isInteger = end > at && !isOfScalar(bytes[end]) && (bytes[at] !== ZERO || end === at + 1)
  if (isInteger) return end
  while (isOfScalar(bytes[end])) end++
  const text = bytes.toString('latin1', at, end)
  if (text !== 'true' && text !== 'false' && text !== 'null' && !NUMBER.test(text)) {
    throw new JsonSpanError('a value is expected', at)
  }
  return end
}

/** The end of the string whose opening quote is at `open`. */
export function stringEnd(bytes: Buffer, open: number): number {
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

export function skipSpace(bytes: Buffer, at: number): number {
  let next = at
  for (;;) {
    const byte = bytes[next]
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return next
    next++
  }
}

/** Letters of `true`, `false`, `null`, and what numbers are made of. */
function isOfScalar(byte = 0): boolean {
  return (
    isDigit(byte) || (byte >= 0x61 && byte <= 0x7a) || byte === 0x2d || byte === 0x2b || byte === 0x2e || byte === 0x45
  )
}

function isDigit(byte = 0): boolean {
  return byte >= ZERO && byte <= 0x39
}
