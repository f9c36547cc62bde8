import { boxesOf } from './container-tracks.ts'
import type { ReadAt } from './read-at.ts'

export interface PictureSize {
  readonly width: number
  readonly height: number
}

type SizeReader = (readAt: ReadAt, size: number) => Promise<PictureSize | undefined>

/** How far a header is followed; real files are far below. Beyond that a picture counts as unreadable. */
const MOST_SEGMENTS = 4096
const MOST_PADDING = 4096
const MOST_PAGES = 5000
const MOST_TAGS = 200_000
const MOST_BOXES = 4096

const READERS: Readonly<Record<string, SizeReader>> = {
  png: pngSize,
  jpg: jpegSize,
  gif: gifSize,
  webp: webpSize,
  tiff: tiffSize,
  heic: heifSize,
  avif: heifSize,
}

/**
 * Width and height of a raster picture, of its largest page if it has several; undefined if its header does not tell.
 * Nothing is decoded: a few bytes are read where the format keeps them, which may be the end of the file.
 */
export async function readPictureSize(readAt: ReadAt, size: number, ext: string): Promise<PictureSize | undefined> {
  try {
    const found = await READERS[ext]?.(readAt, size)
    return found && found.width > 0 && found.height > 0 ? found : undefined
  } catch (error) {
    // A header that ends before its last field.
    if (error instanceof RangeError) return undefined
    throw error
  }
}

async function pngSize(readAt: ReadAt): Promise<PictureSize | undefined> {
  const head = await readAt(0, 24)
  if (head.toString('latin1', 12, 16) !== 'IHDR') return undefined
  return { width: head.readUInt32BE(16), height: head.readUInt32BE(20) }
}

/** The frame header stands behind any number of segments: camera data, colour profiles, previews. */
async function jpegSize(readAt: ReadAt): Promise<PictureSize | undefined> {
  let position = 2
  for (let segment = 0; segment < MOST_SEGMENTS; segment++) {
    // Decoders skip what is between segments.
    const bytes = await readAt(position, MOST_PADDING)
    const at = bytes.findIndex((byte, index) => byte === 0xff && ![0xff, 0, undefined].includes(bytes[index + 1]))
    const marker = bytes[at + 1]
    if (at === -1 || marker === undefined || marker === 0xd9 || marker === 0xda) return undefined
    position += at + 2
    const isAlone = marker === 1 || (marker >= 0xd0 && marker <= 0xd8)
    if (isAlone) continue
    const header = await readAt(position, 7)
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)
    if (isFrame) return { width: header.readUInt16BE(5), height: header.readUInt16BE(3) }
    position += header.readUInt16BE(0)
  }
  return undefined
}

/** The first picture may be larger than the screen that it is shown on: decoders make room for it. */
async function gifSize(readAt: ReadAt): Promise<PictureSize | undefined> {
  const head = await readAt(0, 13)
  const screen = { width: head.readUInt16LE(6), height: head.readUInt16LE(8) }
  let position = 13 + colourTableBytes(head.readUInt8(10))
  let isInBlocks = false
  for (let block = 0; block < MOST_SEGMENTS; block++) {
    const bytes = await readAt(position, 9)
    const first = bytes[0]
    if (isInBlocks && first !== undefined) {
      isInBlocks = first !== 0
      position += 1 + first
    } else if (first === 0x21) {
      isInBlocks = true
      position += 2
    } else if (first === 0x2c) {
      return {
        width: Math.max(screen.width, bytes.readUInt16LE(1) + bytes.readUInt16LE(5)),
        height: Math.max(screen.height, bytes.readUInt16LE(3) + bytes.readUInt16LE(7)),
      }
    } else return screen
  }
  return undefined
}

function colourTableBytes(flags: number): number {
  return flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0
}

async function webpSize(readAt: ReadAt): Promise<PictureSize | undefined> {
  const head = await readAt(0, 30)
  const kind = head.toString('latin1', 12, 16)
  if (kind === 'VP8X') return { width: head.readUIntLE(24, 3) + 1, height: head.readUIntLE(27, 3) + 1 }
  if (kind === 'VP8 ') return { width: head.readUInt16LE(26) & 0x3fff, height: head.readUInt16LE(28) & 0x3fff }
  if (kind !== 'VP8L') return undefined
  const bits = head.readUInt32LE(21)
  return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 }
}

const WIDTH_TAG = 256
const HEIGHT_TAG = 257

/** Pages are a chain of directories that may stand anywhere. */
async function tiffSize(readAt: ReadAt): Promise<PictureSize | undefined> {
  const head = await readAt(0, 16)
  const isLittle = head.readUInt8(0) === 0x49
  const isBig = (isLittle ? head.readUInt16LE(2) : head.readUInt16BE(2)) === 43
  const long = (bytes: Buffer, at: number) =>
    Number(isBig ? bigInteger(bytes, at, isLittle) : isLittle ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at))
  const short = (bytes: Buffer, at: number) => (isLittle ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at))
  const [countBytes, tagBytes, longBytes] = isBig ? [8, 20, 8] : [2, 12, 4]
  let largest: PictureSize | undefined
  let tagsLeft = MOST_TAGS
  let position = long(head, isBig ? 8 : 4)
  for (let page = 0; position !== 0; page++) {
    const start = await readAt(position, countBytes)
    const tags = isBig ? long(start, 0) : short(start, 0)
    tagsLeft -= tags
    if (page === MOST_PAGES || tagsLeft < 0) return undefined
    const bytes = await readAt(position + countBytes, tags * tagBytes + longBytes)
    let [width, height] = [0, 0]
    for (let at = 0; at < tags * tagBytes; at += tagBytes) {
      const tag = short(bytes, at)
      if (tag !== WIDTH_TAG && tag !== HEIGHT_TAG) continue
      const value = integerOf(bytes, at + tagBytes - longBytes, short(bytes, at + 2), isLittle)
      if (tag === WIDTH_TAG) width = Math.max(width, value)
      else height = Math.max(height, value)
    }
    if (Number.isNaN(width * height)) return undefined
    if (!largest || width * height > largest.width * largest.height) largest = { width, height }
    position = long(bytes, tags * tagBytes)
  }
  return largest
}

/** A whole number of any of TIFF's types; `NaN` of any other. */
function integerOf(bytes: Buffer, at: number, type: number, isLittle: boolean): number {
  if (type === 1 || type === 6) return bytes.readUInt8(at)
  if (type === 3 || type === 8) return isLittle ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at)
  if (type === 4 || type === 9) return isLittle ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at)
  return type === 16 || type === 17 ? bigInteger(bytes, at, isLittle) : Number.NaN
}

function bigInteger(bytes: Buffer, at: number, isLittle: boolean): number {
  return Number(isLittle ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at))
}

/** HEIC and AVIF: the picture, its tiles and its preview each have a box with their size. */
async function heifSize(readAt: ReadAt, size: number): Promise<PictureSize | undefined> {
  const budget = { boxes: MOST_BOXES }
  let largest: PictureSize | undefined
  for await (const meta of boxesOf(readAt, 'meta', { start: 0, end: size }, budget)) {
    const content = { start: meta.start + 4, end: meta.end }
    for await (const iprp of boxesOf(readAt, 'iprp', content, budget)) {
      for await (const ipco of boxesOf(readAt, 'ipco', iprp, budget)) {
        for await (const ispe of boxesOf(readAt, 'ispe', ipco, budget)) {
          const bytes = await readAt(ispe.start + 4, 8)
          const [width, height] = [bytes.readUInt32BE(0), bytes.readUInt32BE(4)]
          if (!largest || width * height > largest.width * largest.height) largest = { width, height }
        }
      }
    }
  }
  return budget.boxes > 0 ? largest : undefined
}
