import sharp, { type Metadata } from 'sharp'
import { type FileReading, type ReadJob, UnreadableFileError } from '../file-reading.ts'
import { MOST_PIXELS } from '../limits.ts'
import type { ReadTools } from '../read-tools.ts'
import { describeRaster, type Seen } from './describe-raster.ts'
import { openPicture } from './open-picture.ts'
import { describePhoto, photoDetails } from './photo-details.ts'
import { type Raster, toRaster } from './raster.ts'

/** Side of the small picture that is looked at. */
const RASTER_SIDE = 128

/** HEIC's own codec is patented and not built in. */
async function lookAt(source: string | Buffer): Promise<Raster | undefined> {
  try {
    const { data, info } = await openPicture(source)
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

/** Frames of an animation with the seconds that they take, or pages. */
function framesOf({ pages = 1, delay }: Metadata): Seen {
  if (pages < 2) return { english: '', chinese: '' }
  const seconds = (delay ?? []).reduce((sum, each) => sum + each, 0) / 1_000
  if (!delay) return { english: `, ${pages} pages`, chinese: `,共 ${pages} 页` }
  const long = seconds > 0 ? Math.round(seconds * 10) / 10 : undefined
  return {
    english: `, animated, ${pages} frames${long ? ` in ${long} s` : ''}`,
    chinese: `,动画,共 ${pages} 帧${long ? `,时长 ${long} 秒` : ''}`,
  }
}

function describe(format: string, metadata: Metadata, seen: Seen | undefined): string {
  const { width, height } = metadata.autoOrient
  const frames = framesOf(metadata)
  const english = `Image, ${format}, ${width} x ${height} pixels${frames.english}.`
  const chinese = `图片,${format} 格式,${width}×${height} 像素${frames.chinese}。`
  return seen ? `${english} ${seen.english}\n${chinese}${seen.chinese}` : `${english}\n${chinese}`
}

/** Format, size, what the pixels show and what the camera wrote; `source` is a path, or the bytes of an SVG. */
export async function describePicture(source: string | Buffer, ext: string, keepGps: boolean): Promise<FileReading> {
  const metadata = await metadataOf(source)
  const { width, height } = metadata.autoOrient
  const raster = width * height <= MOST_PIXELS ? await lookAt(source) : undefined
  const photo = metadata.exif ? describePhoto(photoDetails(metadata.exif, { position: keepGps })) : []
  const text = [describe(ext.toUpperCase(), metadata, raster && describeRaster(raster)), ...photo].join('\n')
  return { sections: [{ text }], ...(!raster && { note: 'its pixels could not be looked at' }) }
}

/** Also the text in it, where it looks like print. */
export async function readPicture({ path, ext }: ReadJob, { keepGps, recogniser }: ReadTools): Promise<FileReading> {
  const reading = await describePicture(path, ext, keepGps)
  const words = reading.note === undefined ? await recogniser?.recognise(path, true) : undefined
  if (!words) return reading
  return { ...reading, sections: [...reading.sections, { text: `Text in the picture (图片中的文字):\n${words}` }] }
}
