function decode(bytes: Uint8Array, encoding: string, complete: boolean): string | undefined {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes, { stream: !complete })
  } catch {
    return undefined
  }
}

function byteOrderMark(bytes: Uint8Array): string | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le'
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be'
  return undefined
}

/**
 * Text of unknown encoding: UTF-16 with its mark, UTF-8, what the file itself `declared`, GB 18030, and last
 * Windows-1252, which takes any bytes. `complete` false: the bytes may end within a character.
 */
export function decodeText(bytes: Uint8Array, complete: boolean, declared?: string): string {
  const mark = byteOrderMark(bytes)
  if (mark) return new TextDecoder(mark).decode(bytes)
  return (
    decode(bytes, 'utf-8', complete) ??
    (declared === undefined ? undefined : decode(bytes, declared, complete)) ??
    decode(bytes, 'gb18030', complete) ??
    new TextDecoder('windows-1252').decode(bytes)
  )
}
