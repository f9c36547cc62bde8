import { open } from 'node:fs/promises'

export interface Samples {
  readonly rate: number
  /** First channel, -1..1. */
  readonly values: Float32Array
}

interface Format {
  readonly channels: number
  readonly rate: number
  readonly bytes: number
  readonly isFloat: boolean
}

/** Longer recordings are not looked into. */
const MOST_BYTES = 32 * 1_048_576
const FLOAT = 3
const EXTENSIBLE = 0xfffe

function readFormat(chunk: Buffer): Format | undefined {
  if (chunk.length < 16) return undefined
  const tag = chunk.readUInt16LE(0)
  const kind = tag === EXTENSIBLE && chunk.length >= 26 ? chunk.readUInt16LE(24) : tag
  const bytes = chunk.readUInt16LE(14) / 8
  if (!(kind === 1 && [1, 2, 3, 4].includes(bytes)) && !(kind === FLOAT && bytes === 4)) return undefined
  const channels = chunk.readUInt16LE(2)
  const rate = chunk.readUInt32LE(4)
  return channels > 0 && rate > 0 ? { channels, rate, bytes, isFloat: kind === FLOAT } : undefined
}

function decode(data: Buffer, { channels, rate, bytes, isFloat }: Format): Samples {
  const step = channels * bytes
  const values = new Float32Array(Math.floor(data.length / step))
  for (let index = 0; index < values.length; index++) {
    const at = index * step
    if (isFloat) values[index] = data.readFloatLE(at)
    else if (bytes === 1) values[index] = (data.readUInt8(at) - 128) / 128
    else values[index] = data.readIntLE(at, bytes) / 2 ** (8 * bytes - 1)
  }
  return { rate, values }
}

/** The samples of a WAV file with plain PCM; undefined for any other, and for long ones. */
export async function readWavSamples(path: string): Promise<Samples | undefined> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    const header = Buffer.alloc(12)
    await file.read(header, 0, 12, 0)
    if (header.toString('latin1', 0, 4) !== 'RIFF' || header.toString('latin1', 8, 12) !== 'WAVE') return undefined
    let format: Format | undefined
    for (let at = 12; at + 8 <= size; ) {
      const head = Buffer.alloc(8)
      await file.read(head, 0, 8, at)
      const name = head.toString('latin1', 0, 4)
      const length = Math.min(head.readUInt32LE(4), size - at - 8)
      if (name === 'fmt ' || name === 'data') {
        if (length > MOST_BYTES) return undefined
        const chunk = Buffer.alloc(length)
        await file.read(chunk, 0, length, at + 8)
        if (name === 'data') return format && decode(chunk, format)
        format = readFormat(chunk)
      }
      at += 8 + length + (length % 2)
    }
    return undefined
  } finally {
    await file.close()
  }
}
