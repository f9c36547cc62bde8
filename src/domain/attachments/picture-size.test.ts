import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readPictureSize } from './picture-size.ts'

const readerOf = (bytes: Buffer) => async (position: number, length: number) =>
  bytes.subarray(position, position + length)
const sizeOf = (bytes: Buffer, ext: string) => readPictureSize(readerOf(bytes), bytes.length, ext)
const fixture = (name: string) => readFileSync(`fixtures/files/${name}`)

const u16 = (value: number) => [value & 0xff, value >> 8]
const u32 = (value: number) => [...u16(value & 0xffff), ...u16(value >>> 16)]
const gifHead = (width: number, height: number) => [...Buffer.from('GIF89a'), ...u16(width), ...u16(height), 0x80, 0, 0]
const gifFrame = (width: number, height: number) => [0x2c, ...u16(0), ...u16(0), ...u16(width), ...u16(height), 0]
const jpegSegment = (marker: number, bytes: number) =>
  Buffer.concat([Buffer.from([0xff, marker, (bytes + 2) >> 8, (bytes + 2) & 0xff]), Buffer.alloc(bytes, 0xab)])
const jpegFrame = Buffer.from([0xff, 0xc2, 0, 11, 8, 0x75, 0x30, 0x75, 0x30, 1, 1, 0x11, 0])
const jpegStart = Buffer.from([0xff, 0xd8])

/** A TIFF page: its directory alone. */
function tiffPage(width: number, height: number, next: number): number[] {
  return [
    ...u16(2),
    ...u16(256),
    ...u16(4),
    ...u32(1),
    ...u32(width),
    ...u16(257),
    ...u16(4),
    ...u32(1),
    ...u32(height),
    ...u32(next),
  ]
}

describe('the size of a picture', () => {
  it.each(['png', 'jpg', 'webp', 'gif', 'avif', 'tiff'])('is read from %s', async (ext) => {
    expect(await sizeOf(fixture(`picture.${ext}`), ext)).toEqual({ width: 64, height: 48 })
  })

  it('is that of the coded picture, of which less may be shown', async () => {
    expect(await sizeOf(fixture('picture.heic'), 'heic')).toEqual({ width: 64, height: 64 })
  })

  it('is known of a picture whose end is missing', async () => {
    expect(await sizeOf(fixture('png-truncated.png'), 'png')).toEqual({ width: 64, height: 48 })
  })

  it('is found behind megabytes of camera data', async () => {
    const segments = Array.from({ length: 60 }, () => jpegSegment(0xe1, 65_000))
    const jpeg = Buffer.concat([jpegStart, ...segments, Buffer.from([0, 0, 0xff, 0xff]), jpegFrame])
    expect(await sizeOf(jpeg, 'jpg')).toEqual({ width: 30_000, height: 30_000 })
  })

  it('is not that of the preview in the camera data', async () => {
    const preview = Buffer.concat([jpegStart, Buffer.from([0xff, 0xc0, 0, 11, 8, 0, 1, 0, 1, 1, 1, 0x11, 0])])
    const segment = Buffer.concat([Buffer.from([0xff, 0xe1, 0, preview.length + 2]), preview])
    expect(await sizeOf(Buffer.concat([jpegStart, segment, jpegFrame]), 'jpg')).toEqual({
      width: 30_000,
      height: 30_000,
    })
  })

  it('counts a GIF frame that is larger than its screen', async () => {
    const words = [0x21, 0xfe, 2, 65, 65, 1, 65, 0]
    const gif = Buffer.from([...gifHead(1, 1), ...Array(6).fill(0), ...words, ...gifFrame(30_000, 20_000)])
    expect(await sizeOf(gif, 'gif')).toEqual({ width: 30_000, height: 20_000 })
  })

  it('is that of the largest page, wherever its directory is', async () => {
    const head = [0x49, 0x49, 42, 0, ...u32(8)]
    const tiff = Buffer.from([...head, ...tiffPage(10, 10, 1000), ...Array(962).fill(0), ...tiffPage(9000, 8000, 0)])
    expect(await sizeOf(tiff, 'tiff')).toEqual({ width: 9000, height: 8000 })
  })

  it('is that of the largest item of a HEIC picture', async () => {
    const heic = Buffer.from(fixture('picture.heic'))
    heic.writeUInt32BE(40_000, heic.indexOf('ispe') + 8)
    expect(await sizeOf(heic, 'heic')).toEqual({ width: 40_000, height: 64 })
  })

  it.each([
    ['png', Buffer.from('\x89PNG\r\n\x1a\n')],
    ['jpg', Buffer.concat([jpegStart, jpegSegment(0xe1, 10)])],
    ['jpg', Buffer.concat([jpegStart, Buffer.from([0xff, 0xe1, 0, 0])])],
    ['webp', Buffer.from('RIFF\0\0\0\0WEBPICCP')],
    ['gif', Buffer.from(gifHead(0, 0))],
    ['tiff', Buffer.from([0x49, 0x49, 42, 0, ...u32(8), ...tiffPage(0, 10, 0)])],
    ['heic', Buffer.from('\0\0\0\x10ftypheic\0\0\0\0')],
  ])('is not made up for a broken %s', async (ext, bytes) => {
    expect(await sizeOf(bytes, ext)).toBeUndefined()
  })

  it('is not looked for without end', async () => {
    const loop = Buffer.from([0x49, 0x49, 42, 0, ...u32(8), ...tiffPage(10, 10, 8)])
    expect(await sizeOf(loop, 'tiff')).toBeUndefined()
    const segments = Buffer.concat(Array.from({ length: 50_000 }, () => jpegSegment(0xe1, 0)))
    expect(await sizeOf(Buffer.concat([jpegStart, segments, jpegFrame]), 'jpg')).toBeUndefined()
    const blocks = Buffer.from([
      ...gifHead(1, 1),
      ...Array(6).fill(0),
      0x21,
      0xfe,
      ...Array(100_000).fill([1, 65]).flat(),
    ])
    expect(await sizeOf(blocks, 'gif')).toBeUndefined()
  })

  it('is a size or unknown, whatever the bytes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('png', 'jpg', 'webp', 'gif', 'heic', 'avif', 'tiff'),
        fc.array(fc.tuple(fc.nat(700), fc.integer({ min: 0, max: 255 })), { maxLength: 12 }),
        fc.nat(800),
        async (ext, changes, length) => {
          const bytes = Buffer.from(fixture(`picture.${ext}`)).subarray(0, Math.max(length, 60))
          for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value
          const size = await sizeOf(bytes, ext)
          if (size) expect(size.width * size.height).toBeGreaterThan(0)
        },
      ),
      { numRuns: 2000 },
    )
  })
})
