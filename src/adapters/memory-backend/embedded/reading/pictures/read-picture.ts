import sharp, { type Metadata } from 'sharp'
import { type FileReading, type ReadJob, UnreadableFileError } from '../file-reading.ts'
import { MOST_PIXELS } from '../limits.ts'
import { describeRaster, type Seen } from './describe-raster.ts'
import { type Raster, toRaster } from './raster.ts'

/** Side of the small picture that is looked at. */
const RASTER_SIDE = 128
const SECONDS = 20

// Loaders that are not for the types we take are also those that are tested least.
sharp.block({ operation: ['VipsForeignLoad'] })
sharp.unblock({
  operation: ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Heif', 'Tiff', 'Svg'].map((type) => `VipsForeignLoad${type}`),
})
sharp.concurrency(1)
sharp.cache(false)

/** HEIC's own codec is patented and not built in. */
async function lookAt(source: string | Buffer): Promise<Raster | undefined> {
  try {
    const { data, info } = await sharp(source, { limitInputPixels: MOST_PIXELS, sequentialRead: true })
      .timeout({ seconds: SECONDS })
      .autoOrient()
      .flatten({ background: 'white' })
      .toColourspace('srgb')
      .resize(RASTER_SIDE, RASTER_SIDE, { fit: 'inside', withoutEnlargement: true, kernel: 'nearest' })
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true })
    return info.channels === 3 ? toRaster(data, info.width, info.height) : undefined
  } catch {
    return undefined
  }
}

async function metadataOf(source: string | Buffer): Promise<Metadata> {
  try {
    return await sharp(source, { limitInputPixels: false }).metadata()
  } catch (error) {
    throw new UnreadableFileError('it is damaged or not a picture', { cause: error })
  }
}

function describe(
  format: string,
  { width, height, pages }: Pick<Metadata, 'width' | 'height' | 'pages'>,
  seen: Seen | undefined,
): string {
  const frames = (pages ?? 1) > 1 ? pages : undefined
  const english = `Image, ${format}, ${width} x ${height} pixels${frames ? `, ${frames} frames or pages` : ''}.`
  const chinese = `图片,${format} 格式,${width}×${height} 像素${frames ? `,共 ${frames} 帧` : ''}。`
  return seen ? `${english} ${seen.english}\n${chinese}${seen.chinese}` : `${english}\n${chinese}`
}

/** Format, size, and what the pixels show; `source` is a path, or the bytes of an SVG. */
export async function describePicture(source: string | Buffer, ext: string): Promise<FileReading> {
  const metadata = await metadataOf(source)
  const { width, height } = metadata.autoOrient
  const raster = width * height <= MOST_PIXELS ? await lookAt(source) : undefined
  const text = describe(ext.toUpperCase(), { ...metadata, width, height }, raster && describeRaster(raster))
  return raster ? { text } : { text, note: 'its pixels could not be looked at' }
}

export function readPicture({ path, ext }: ReadJob): Promise<FileReading> {
  return describePicture(path, ext)
}
