import { MOST_PIXELS } from '../limits.ts'
import { openPicture } from '../pictures/open-picture.ts'
import type { PixelSource } from '../read-tools.ts'

/** Longest side that is given to the recogniser: a page at some 150 dots an inch. Larger ones take longer and are read no better. */
const LONGEST_SIDE = 1_800
/** Below this, letters may be too small. */
const SMALL_SIDE = 1_000

export interface PreparedPicture {
  /** PNG. */
  readonly png: Buffer
  readonly grey: Uint8Array
  readonly width: number
  readonly isSmall: boolean
}

function open(picture: string | PixelSource) {
  if (typeof picture === 'string') return openPicture(picture).autoOrient()
  const { data, width, height, channels, rotate = 0 } = picture
  return openPicture(Buffer.from(data.buffer, data.byteOffset, data.byteLength), { width, height, channels }).rotate(
    rotate,
  )
}

/** Grey, upright and of a size that can be read; undefined if it is too large, or cannot be decoded. */
export async function preparePicture(picture: string | PixelSource, enlarge = 1): Promise<PreparedPicture | undefined> {
  try {
    const image = open(picture)
    const { autoOrient: size } = await image.metadata()
    if (size.width * size.height > MOST_PIXELS) return undefined
    const side = Math.max(size.width, size.height)
    const longest = Math.min(LONGEST_SIDE, side * enlarge)
    const { data, info } = await image
      .flatten({ background: 'white' })
      .greyscale()
      .resize(longest, longest, { fit: 'inside', withoutEnlargement: enlarge === 1 })
      .raw()
      .toBuffer({ resolveWithObject: true })
    const raw = { width: info.width, height: info.height, channels: info.channels }
    const png = await openPicture(data, raw).png({ compressionLevel: 1 }).toBuffer()
    return { png, grey: data, width: info.width, isSmall: side < SMALL_SIDE }
  } catch {
    return undefined
  }
}
