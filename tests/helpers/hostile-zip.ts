import { crc32 } from 'node:zlib'

export interface ZipEntry {
  readonly name: string
  /** The bytes as they stand in the file. */
  readonly packed: Buffer
  /** 0 stored, 8 deflated. */
  readonly method?: number
  /** Size when unpacked, as the headers claim it. */
  readonly unpacked?: number
  readonly flags?: number
  /** Put nothing into the file: the directory points to what is at this place. */
  readonly offset?: number
  /** Claim of the directory, if it is not the truth. */
  readonly packedClaim?: number
  /** Put the sizes into the zip64 extension. */
  readonly isLong?: boolean
}

export interface ZipClaims {
  /** How many entries the end record claims. */
  readonly entries?: number
  /** Added to where the directory is said to be. */
  readonly shift?: number
  /** Write the zip64 end record too, with this many entries. */
  readonly longEntries?: number
  readonly comment?: Buffer
}

/** A zip file whose records say what they are told to say. */
export function writeZip(entries: readonly ZipEntry[], claims: ZipClaims = {}): Buffer {
  const locals: Buffer[] = []
  const directory: Buffer[] = []
  let position = 0
  for (const entry of entries) {
    const name = Buffer.from(entry.name)
    const offset = entry.offset ?? position
    if (entry.offset === undefined) {
      const local = Buffer.concat([localHeader(entry, name), name, entry.packed])
      locals.push(local)
      position += local.length
    }
    const extra = entry.isLong ? longExtra(entry, offset) : Buffer.alloc(0)
    directory.push(directoryHeader(entry, name, offset, extra), name, extra)
  }
  const listed = Buffer.concat(directory)
  return Buffer.concat([...locals, listed, ...endRecords(entries.length, position, listed.length, claims)])
}

function localHeader({ packed, method = 0, unpacked = packed.length, flags = 0 }: ZipEntry, name: Buffer): Buffer {
  const header = Buffer.alloc(30)
  header.writeUInt32LE(0x04034b50, 0)
  header.writeUInt16LE(20, 4)
  header.writeUInt16LE(flags, 6)
  header.writeUInt16LE(method, 8)
  header.writeUInt32LE(method === 0 ? crc32(packed) : 0, 14)
  header.writeUInt32LE(packed.length, 18)
  header.writeUInt32LE(Math.min(unpacked, 0xfffffffe), 22)
  header.writeUInt16LE(name.length, 26)
  return header
}

function directoryHeader(entry: ZipEntry, name: Buffer, offset: number, extra: Buffer): Buffer {
  const { packed, method = 0, unpacked = packed.length, flags = 0, isLong } = entry
  const header = Buffer.alloc(46)
  header.writeUInt32LE(0x02014b50, 0)
  header.writeUInt16LE(20, 4)
  header.writeUInt16LE(20, 6)
  header.writeUInt16LE(flags, 8)
  header.writeUInt16LE(method, 10)
  header.writeUInt32LE(method === 0 ? crc32(packed) : 0, 16)
  header.writeUInt32LE(isLong ? 0xffffffff : (entry.packedClaim ?? packed.length), 20)
  header.writeUInt32LE(isLong ? 0xffffffff : unpacked, 24)
  header.writeUInt16LE(name.length, 28)
  header.writeUInt16LE(extra.length, 30)
  header.writeUInt32LE(isLong ? 0xffffffff : offset, 42)
  return header
}

function longExtra({ packed, packedClaim, unpacked = packed.length }: ZipEntry, offset: number): Buffer {
  const extra = Buffer.alloc(28)
  extra.writeUInt16LE(1, 0)
  extra.writeUInt16LE(24, 2)
  for (const [index, value] of [unpacked, packedClaim ?? packed.length, offset].entries()) {
    extra.writeBigUInt64LE(BigInt(value), 4 + 8 * index)
  }
  return extra
}

function endRecords(count: number, start: number, bytes: number, claims: ZipClaims): Buffer[] {
  const { entries = count, shift = 0, longEntries, comment = Buffer.alloc(0) } = claims
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(entries & 0xffff, 8)
  end.writeUInt16LE(entries & 0xffff, 10)
  end.writeUInt32LE(bytes, 12)
  end.writeUInt32LE(start + shift, 16)
  end.writeUInt16LE(comment.length, 20)
  if (longEntries === undefined) return [end, comment]
  const long = Buffer.alloc(56)
  long.writeUInt32LE(0x06064b50, 0)
  long.writeBigUInt64LE(44n, 4)
  long.writeBigUInt64LE(BigInt(longEntries), 24)
  long.writeBigUInt64LE(BigInt(longEntries), 32)
  long.writeBigUInt64LE(BigInt(bytes), 40)
  long.writeBigUInt64LE(BigInt(start + shift), 48)
  const locator = Buffer.alloc(20)
  locator.writeUInt32LE(0x07064b50, 0)
  locator.writeBigUInt64LE(BigInt(start + bytes), 8)
  locator.writeUInt32LE(1, 16)
  return [long, locator, end, comment]
}
