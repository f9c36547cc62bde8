import sharp, { type Raw, type Sharp } from 'sharp'
import { MOST_PIXELS } from '../limits.ts'

/** For one decoding. */
const SECONDS = 20

// Loaders that are not for the types we take are also those that are tested least.
sharp.block({ operation: ['VipsForeignLoad'] })
sharp.unblock({
  operation: ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Heif', 'Tiff', 'Svg'].map((type) => `VipsForeignLoad${type}`),
})
sharp.concurrency(1)
sharp.cache(false)

/** A picture by its path or bytes, or of pixels; bounded in pixels and time. */
export function openPicture(source: string | Buffer, raw?: Raw): Sharp {
  return sharp(source, { limitInputPixels: MOST_PIXELS, sequentialRead: true, ...(raw && { raw }) }).timeout({
    seconds: SECONDS,
  })
}
