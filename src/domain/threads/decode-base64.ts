const PIECE = 64 * 1024
const ALPHABET = /^[A-Za-z0-9+/_-]*={0,2}$/

export class NotBase64 extends Error {
  constructor() {
    super('This is no base64.')
  }
}

/**
 * Decodes in pieces what a client sent to its model: in either alphabet, with line breaks, with or without padding, as providers take it.
 * Throws `NotBase64` where it is none.
 */
export async function* decodeBase64(text: string): AsyncGenerator<Buffer> {
  let rest = ''
  let isOver = false
  for (let at = 0; at < text.length; at += PIECE) {
    const fresh = text.slice(at, at + PIECE).replaceAll(/\s+/g, '')
    if (!ALPHABET.test(fresh) || (isOver && /[^=]/.test(fresh))) throw new NotBase64()
    isOver ||= fresh.includes('=')
    const piece = rest + fresh
    const whole = piece.length - (piece.length % 4)
    rest = piece.slice(whole)
    if (whole > 0) yield Buffer.from(piece.slice(0, whole), 'base64')
  }
  rest = rest.replaceAll('=', '')
  if (rest.length === 1) throw new NotBase64()
  if (rest.length > 0) yield Buffer.from(rest, 'base64')
}
