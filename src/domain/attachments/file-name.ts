import { GatewayError } from '../errors.ts'
import { isCleanText } from '../text-schemas.ts'

/** Control characters, and the marks that turn the direction of text (they make `gpj.exe` look like `exe.jpg`). */
const UNSAFE = /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/**
 * The name of a file as it is kept and shown: its last path segment in NFC, without control and direction marks. It is
 * never part of a path or key. `invalid_request` if it is no Unicode text or longer than `maxBytes` of UTF-8.
 */
export function cleanFileName(given: string | undefined, fallback: string, maxBytes: number): string {
  for (const candidate of [given, fallback]) {
    if (!candidate) continue
    if (!isCleanText(candidate)) {
      throw new GatewayError('invalid_request', 'A file name must be well-formed Unicode without NUL.')
    }
    const name = (candidate.split(/[\\/]/).at(-1) ?? '').normalize('NFC').replace(UNSAFE, '').trim()
    if (Buffer.byteLength(name) > maxBytes) {
      throw new GatewayError('invalid_request', `A file name may have ${maxBytes} bytes at most.`, {
        details: { max_filename_bytes: maxBytes },
      })
    }
    if (name && name !== '.' && name !== '..') return name
  }
  return 'file'
}
