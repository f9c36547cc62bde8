import { getResolvedPDFJS } from 'unpdf'
import type { PixelSource } from '../read-tools.ts'
import type { PdfPage } from './read-pdf.ts'

/** Smaller pictures on a page are logos and lines. */
const LEAST_SIDE = 64
const LEAST_PIXELS = 40_000
/** Scanners that cut a page into strips make more of them than anybody. */
const MOST_IMAGES = 12

/** Kinds of pixels of pdf.js. */
const GREY_1BPP = 1
const RGB_24BPP = 2
const RGBA_32BPP = 3

interface PdfImage {
  readonly width: number
  readonly height: number
  readonly kind?: number
  readonly data?: Uint8Array | Uint8ClampedArray | string | null | undefined
}

/** One bit a pixel, each row from a new byte, set where it is white. */
function greyOf(bits: Uint8Array, width: number, height: number): Uint8Array {
  const grey = new Uint8Array(width * height)
  const stride = Math.ceil(width / 8)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if ((bits[y * stride + (x >> 3)] ?? 0) & (0x80 >> (x & 7))) grey[y * width + x] = 255
    }
  }
  return grey
}

function pixelsOf({ width, height, kind, data }: PdfImage, rotate: number): PixelSource | undefined {
  if (!data || typeof data === 'string') return undefined
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  if (kind === undefined || kind === GREY_1BPP) {
    if (bytes.length < Math.ceil(width / 8) * height) return undefined
    return { data: greyOf(bytes, width, height), width, height, channels: 1, rotate }
  }
  const channels = kind === RGB_24BPP ? 3 : kind === RGBA_32BPP ? 4 : undefined
  return channels && bytes.length === width * height * channels
    ? { data: bytes, width, height, channels, rotate }
    : undefined
}

/** The pictures on a page in the order in which they are drawn, those of a scanned page above all. */
export async function pdfPageImages(page: PdfPage): Promise<PixelSource[]> {
  const { OPS } = await getResolvedPDFJS()
  const { fnArray, argsArray } = await page.getOperatorList()
  const found: PixelSource[] = []
  for (const [index, operation] of fnArray.entries()) {
    const [first] = (argsArray[index] ?? []) as [unknown]
    const image = await imageOf(page, operation, first, OPS)
    if (!image || Math.min(image.width, image.height) < LEAST_SIDE || image.width * image.height < LEAST_PIXELS)
      continue
    const pixels = pixelsOf(image, page.rotate)
    if (pixels && found.push(pixels) >= MOST_IMAGES) break
  }
  return found
}

/** An image is an object of the page or the document by its name; a mask, which scans in black and white often are, comes with its data or their name. */
async function imageOf(
  page: PdfPage,
  operation: number,
  given: unknown,
  OPS: Readonly<Record<string, number>>,
): Promise<PdfImage | undefined> {
  const named = (name: string) =>
    new Promise<PdfImage | null>((resolve) => (name.startsWith('g_') ? page.commonObjs : page.objs).get(name, resolve))
  if (operation === OPS.paintImageXObject && typeof given === 'string') return (await named(given)) ?? undefined
  if (operation === OPS.paintInlineImageXObject) return given as PdfImage
  if (operation !== OPS.paintImageMaskXObject) return undefined
  const { data, width, height } = given as PdfImage
  const stored = typeof data === 'string' ? await named(data) : undefined
  return { width, height, data: stored ? stored.data : data }
}
