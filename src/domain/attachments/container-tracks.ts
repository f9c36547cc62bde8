import type { ReadAt } from './read-at.ts'

/** More boxes than a real file needs to reach the handlers of its tracks. */
const maxBoxes = 512

interface Box {
  readonly type: string
  readonly start: number
  readonly end: number
}

/** True if an MP4 file has sound and no picture. Reads box headers only. */
export async function isAudioOnlyMp4(readAt: ReadAt, size: number): Promise<boolean> {
  const budget = { boxes: maxBoxes }
  const handlers = new Set<string>()
  for await (const moov of boxesOf(readAt, 'moov', { start: 0, end: size }, budget)) {
    for await (const trak of boxesOf(readAt, 'trak', moov, budget)) {
      for await (const mdia of boxesOf(readAt, 'mdia', trak, budget)) {
        for await (const hdlr of boxesOf(readAt, 'hdlr', mdia, budget)) {
          handlers.add((await readAt(hdlr.start + 8, 4)).toString('latin1'))
        }
      }
    }
  }
  return budget.boxes > 0 && handlers.has('soun') && !handlers.has('vide')
}

/** The boxes of one type within another box, or within the file. Takes one from the budget for each box it passes. */
export async function* boxesOf(
  readAt: ReadAt,
  wanted: string,
  parent: { start: number; end: number },
  budget: { boxes: number },
): AsyncGenerator<Box> {
  let position = parent.start
  while (position + 8 <= parent.end && budget.boxes > 0) {
    budget.boxes--
    const header = await readAt(position, 16)
    if (header.length < 8) return
    const type = header.toString('latin1', 4, 8)
    let size = header.readUInt32BE(0)
    const isLong = size === 1 && header.length === 16
    if (isLong) size = Number(header.readBigUInt64BE(8))
    if (size === 0) size = parent.end - position
    const end = position + size
    const start = position + (isLong ? 16 : 8)
    if (end < start || end > parent.end) return
    if (type === wanted) yield { type, start, end }
    position = end
  }
}

const masters = new Set([0x18538067 /* Segment */, 0x1654ae6b /* Tracks */, 0xae /* TrackEntry */])
const cluster = 0x1f43b675
const trackType = 0x83
const video = 1
const audio = 2

/** True if the tracks that the head of a WebM file declares are sound and no picture. They stand before the media data. */
export function isAudioOnlyWebm(head: Buffer): boolean {
  const types = new Set<number>()
  let position = 0
  while (position < head.length) {
    const id = readVarInt(head, position, true)
    const size = id && readVarInt(head, position + id.length, false)
    if (!id || !size || id.value === cluster) break
    const content = position + id.length + size.length
    if (id.value === trackType && content < head.length) types.add(head.readUInt8(content))
    position = masters.has(id.value) ? content : content + size.value
  }
  return types.has(audio) && !types.has(video)
}

/** EBML's variable-length integer: the leading zeros of the first byte say how many bytes follow it. */
function readVarInt(
  data: Buffer,
  position: number,
  keepMarker: boolean,
): { value: number; length: number } | undefined {
  const first = data[position]
  if (!first) return undefined
  const length = Math.clz32(first) - 23
  if (position + length > data.length) return undefined
  let value = keepMarker ? first : first & (0xff >> length)
  for (let n = 1; n < length; n++) value = value * 256 + data.readUInt8(position + n)
  return { value, length }
}
