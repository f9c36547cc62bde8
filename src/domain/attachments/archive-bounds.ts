import { type ReadAt, windowed } from './read-at.ts'

export interface ArchiveLimits {
  /** Entries, of any size. */
  readonly archiveEntries: number
  /** Bytes of all entries when unpacked. */
  readonly archiveBytes: number
  /** How many times the size of the file those bytes may be. */
  readonly archiveRatio: number
}

/** What unpacks to no more than this may be packed as tightly as it likes. */
const RATIO_FROM_BYTES = 1024 * 1024
const WINDOW_BYTES = 64 * 1024

const LOCAL_HEADER = 0x04034b50
const DIRECTORY_ENTRY = 0x02014b50
const END = 0x06054b50
const END_64 = 0x06064b50
const END_64_LOCATOR = 0x07064b50
const END_BYTES = 22
/** Behind the end record there is at most a comment. */
const MOST_COMMENT_BYTES = 0xffff
/** Of a field whose value stands in the zip64 extension instead. */
const ELSEWHERE_16 = 0xffff
const ELSEWHERE_32 = 0xffffffff
const ZIP64_EXTRA = 1
/** Encrypted, strongly encrypted, header values masked. */
const HIDING_FLAGS = 0x1 | 0x40 | 0x2000
const STORED = 0

interface Directory {
  readonly entries: number
  readonly start: number
  readonly end: number
}

interface Entry {
  readonly offset: number
  readonly packed: number
  readonly unpacked: number
}

/** The archive cannot be trusted; the message is a clause that says why. */
class ArchiveFault extends Error {}

/**
 * Why a zip file must not be unpacked, as a clause that follows "is a zip file that"; undefined if it may be. Reads
 * its directory and the headers of its entries, no content: unpacking is not needed to see that it would be too much.
 * Every record that two programs could read differently is a fault.
 */
export async function archiveFault(readAt: ReadAt, size: number, limits: ArchiveLimits): Promise<string | undefined> {
  try {
    const directory = await readEnd(readAt, size)
    if (directory.entries > limits.archiveEntries) return `has more than ${limits.archiveEntries} entries`
    const entries = await readDirectory(readAt, directory)
    const unpacked = entries.reduce((sum, entry) => sum + entry.unpacked, 0)
    if (unpacked > limits.archiveBytes) return `unpacks to more than ${limits.archiveBytes} bytes`
    if (unpacked > Math.max(RATIO_FROM_BYTES, size * limits.archiveRatio)) {
      return `unpacks to more than ${limits.archiveRatio} times its size`
    }
    await checkPlaces(readAt, entries, directory.start)
    return undefined
  } catch (error) {
    if (error instanceof ArchiveFault) return error.message
    // A record that ends before its last field.
    if (error instanceof RangeError) return 'is damaged'
    throw error
  }
}

/** The record at the end, and its zip64 twin where there is one. */
async function readEnd(readAt: ReadAt, size: number): Promise<Directory> {
  const tailStart = Math.max(0, size - END_BYTES - MOST_COMMENT_BYTES)
  const tail = await readAt(tailStart, size - tailStart)
  const mark = Buffer.alloc(4)
  mark.writeUInt32LE(END)
  const at = tail.lastIndexOf(mark, -END_BYTES)
  if (at === -1) throw new ArchiveFault('has no directory at its end')
  const position = tailStart + at
  const [disk, diskOfDirectory, entriesHere] = [4, 6, 8].map((field) => tail.readUInt16LE(at + field))
  const entries = tail.readUInt16LE(at + 10)
  const [bytes, start] = [tail.readUInt32LE(at + 12), tail.readUInt32LE(at + 16)]
  const locator = await readAt(Math.max(0, position - 20), 20)
  if (locator.readUInt32LE(0) === END_64_LOCATOR) {
    return await readEnd64(readAt, Number(locator.readBigUInt64LE(8)), { entries, bytes, start })
  }
  if (disk !== 0 || diskOfDirectory !== 0 || entriesHere !== entries) throw new ArchiveFault('is one of several parts')
  if (start + bytes !== position) throw new ArchiveFault('has a directory that is not where it says')
  return { entries, start, end: position }
}

async function readEnd64(
  readAt: ReadAt,
  position: number,
  classic: { entries: number; bytes: number; start: number },
): Promise<Directory> {
  const record = await readAt(Number.isSafeInteger(position) ? position : 0, 56)
  if (record.readUInt32LE(0) !== END_64) throw new ArchiveFault('is damaged')
  const [entriesHere, entries, bytes, start] = [24, 32, 40, 48].map((at) => Number(record.readBigUInt64LE(at)))
  if (entries === undefined || start === undefined || start + (bytes ?? 0) !== position || entriesHere !== entries) {
    throw new ArchiveFault('has a directory that is not where it says')
  }
  const agrees = (value: number | undefined, said: number, elsewhere: number) => said === elsewhere || said === value
  if (
    !agrees(entries, classic.entries, ELSEWHERE_16) ||
    !agrees(bytes, classic.bytes, ELSEWHERE_32) ||
    !agrees(start, classic.start, ELSEWHERE_32)
  ) {
    throw new ArchiveFault('contradicts itself')
  }
  return { entries, start, end: position }
}

async function readDirectory(readAt: ReadAt, { entries, start, end }: Directory): Promise<Entry[]> {
  const read = windowed(readAt, WINDOW_BYTES)
  const found: Entry[] = []
  let position = start
  while (found.length < entries) {
    const header = await read(position, 46)
    if (header.readUInt32LE(0) !== DIRECTORY_ENTRY) throw new ArchiveFault('is damaged')
    if (header.readUInt16LE(8) & HIDING_FLAGS) throw new ArchiveFault('is encrypted')
    const method = header.readUInt16LE(10)
    const sizes = [header.readUInt32LE(24), header.readUInt32LE(20), header.readUInt32LE(42)]
    const extraAt = position + 46 + header.readUInt16LE(28)
    const extraBytes = header.readUInt16LE(30)
    position = extraAt + extraBytes + header.readUInt16LE(32)
    if (position > end) throw new ArchiveFault('is damaged')
    const isLong = sizes.includes(ELSEWHERE_32)
    const [unpacked = 0, packed = 0, offset = 0] = isLong ? longSizes(sizes, await read(extraAt, extraBytes)) : sizes
    if (method === STORED && packed !== unpacked) throw new ArchiveFault('contradicts itself')
    found.push({ offset, packed, unpacked })
  }
  if (position !== end) throw new ArchiveFault('has more entries than it says')
  return found
}

/** Sizes and offset with those that did not fit taken from the zip64 extension, which holds only these, in this order. */
function longSizes(sizes: readonly number[], extra: Buffer): number[] {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== ZIP64_EXTRA) continue
    let field = at + 4
    return sizes.map((size) => {
      if (size !== ELSEWHERE_32) return size
      field += 8
      return Number(extra.readBigUInt64LE(field - 8))
    })
  }
  throw new ArchiveFault('hides the sizes of its entries')
}

/** Entries that share bytes are how a small file claims to hold more than any could. */
async function checkPlaces(readAt: ReadAt, entries: readonly Entry[], directoryStart: number): Promise<void> {
  const inOrder = entries.toSorted((a, b) => a.offset - b.offset)
  for (const [index, { offset, packed }] of inOrder.entries()) {
    const next = inOrder[index + 1]?.offset ?? directoryStart
    if (offset + packed > next) throw new ArchiveFault('has entries that overlap')
    const header = await readAt(offset, 30)
    if (header.readUInt32LE(0) !== LOCAL_HEADER) throw new ArchiveFault('is damaged')
    if (header.readUInt16LE(6) & HIDING_FLAGS) throw new ArchiveFault('is encrypted')
    const start = offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28)
    if (start + packed > next) throw new ArchiveFault('has entries that overlap')
  }
}
