import readExif from 'exif-reader'

/** What a camera wrote into a picture, and what somebody wrote about it. */
export interface PhotoDetails {
  /** "2024-05-01 18:30", by the clock of the camera. */
  readonly takenAt?: string
  readonly camera?: string
  readonly caption?: string
  readonly artist?: string
  /** "48.85837, 2.29448": degrees north and east. */
  readonly position?: string
}

const LONGEST_WORDS = 500

function words(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const tidy = value.slice(0, LONGEST_WORDS).replaceAll('\0', ' ').replace(/\s+/g, ' ').trim()
  return tidy === '' ? undefined : tidy
}

function instant(value: unknown): string | undefined {
  if (!(value instanceof Date) || Number.isNaN(value.getTime())) return undefined
  return value.toISOString().slice(0, 16).replace('T', ' ')
}

/** The make only where the model does not begin with it. */
function cameraOf(make: string | undefined, model: string | undefined): string | undefined {
  if (!make || !model) return model ?? make
  return model.toLowerCase().startsWith(make.toLowerCase()) ? model : `${make} ${model}`
}

/** Degrees, from degrees, minutes and seconds. */
function degrees(parts: unknown, reference: unknown, negative: string, most: number): number | undefined {
  if (!Array.isArray(parts) || parts.length !== 3) return undefined
  const [whole = Number.NaN, minutes = Number.NaN, seconds = Number.NaN] = parts.map(Number)
  const value = whole + minutes / 60 + seconds / 3_600
  if (!(value >= 0 && value <= most)) return undefined
  return reference === negative ? -value : value
}

/** Of EXIF bytes; what is broken in them is left out. The position only where it is `wanted`. */
export function photoDetails(exif: Buffer, wanted: { position: boolean }): PhotoDetails {
  let found: ReturnType<typeof readExif>
  try {
    found = readExif(exif)
  } catch {
    return {}
  }
  const { Image, Photo, GPSInfo } = found
  const takenAt = instant(Photo?.DateTimeOriginal ?? Photo?.DateTimeDigitized ?? Image?.DateTime)
  const camera = cameraOf(words(Image?.Make), words(Image?.Model))
  const caption = words(Image?.ImageDescription)
  const artist = words(Image?.Artist)
  const north = wanted.position ? degrees(GPSInfo?.GPSLatitude, GPSInfo?.GPSLatitudeRef, 'S', 90) : undefined
  const east = wanted.position ? degrees(GPSInfo?.GPSLongitude, GPSInfo?.GPSLongitudeRef, 'W', 180) : undefined
  return {
    ...(takenAt && { takenAt }),
    ...(camera && { camera }),
    ...(caption && { caption }),
    ...(artist && { artist }),
    ...(north !== undefined && east !== undefined && { position: `${north.toFixed(5)}, ${east.toFixed(5)}` }),
  }
}

/** In both languages, a line each. */
export function describePhoto({ takenAt, camera, caption, artist, position }: PhotoDetails): string[] {
  const lines = [
    ['Taken', '拍摄时间', takenAt],
    ['Camera', '相机', camera],
    ['Place', '拍摄位置', position],
    ['Caption', '说明', caption],
    ['Artist', '作者', artist],
  ] as const
  return lines.flatMap(([english, chinese, value]) =>
    value === undefined ? [] : [`${english} (${chinese}): ${value}`],
  )
}
