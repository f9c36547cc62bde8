import { readFile } from 'node:fs/promises'
import { unzipSync } from 'fflate'
import { UnreadableFileError } from '../file-reading.ts'
import { MOST_UNZIPPED_BYTES, MOST_ZIP_ENTRIES, MOST_ZIP_RATIO } from '../limits.ts'

/** Small parts may be packed as tightly as they like. */
const RATIO_FROM_BYTES = 1_048_576

/**
 * Unpacks the parts of an office file that `wanted` names. Sizes are checked before a part is unpacked, and fflate
 * writes no more than the size it was told.
 */
export async function unzipParts(path: string, wanted: (name: string) => boolean): Promise<Map<string, Uint8Array>> {
  const bytes = await readFile(path)
  if (bytes[0] === 0xd0 && bytes[1] === 0xcf) throw new UnreadableFileError('it is encrypted, or of an old format')
  let entries = 0
  let unpacked = 0
  const parts = unzipSync(bytes, {
    filter({ name, size, originalSize }) {
      if (++entries > MOST_ZIP_ENTRIES) throw new UnreadableFileError('it has too many parts')
      if (!wanted(name)) return false
      unpacked += originalSize
      const bomb = originalSize > RATIO_FROM_BYTES && originalSize > size * MOST_ZIP_RATIO
      if (bomb || unpacked > MOST_UNZIPPED_BYTES) throw new UnreadableFileError('it is too large when unpacked')
      return true
    },
  })
  return new Map(Object.entries(parts))
}

const decoder = new TextDecoder()

export function partText(parts: ReadonlyMap<string, Uint8Array>, name: string): string {
  const part = parts.get(name)
  return part ? decoder.decode(part) : ''
}

/** Parts that match, by the number in their names. */
export function numberedParts(
  parts: ReadonlyMap<string, Uint8Array>,
  pattern: RegExp,
): { number: number; name: string }[] {
  return [...parts.keys()]
    .flatMap((name) => {
      const number = pattern.exec(name)?.[1]
      return number === undefined ? [] : [{ number: Number(number), name }]
    })
    .sort((a, b) => a.number - b.number)
}
