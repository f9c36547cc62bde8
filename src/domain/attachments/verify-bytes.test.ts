import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CorruptBytesError, verifySha256 } from './verify-bytes.ts'

const bytes = randomBytes(100_000)

function expectedOf(content: Buffer) {
  return { size: content.length, sha256: createHash('sha256').update(content).digest('hex') }
}

function chunksOf(content: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(content.length / size) }, (_, n) => content.subarray(n * size, (n + 1) * size))
}

/** What reaches a reader before the stream ends or fails. */
async function readAll(stream: Readable): Promise<{ size: number; error: unknown }> {
  let size = 0
  try {
    for await (const chunk of stream) size += (chunk as Buffer).length
  } catch (error) {
    return { size, error }
  }
  return { size, error: undefined }
}

describe('verifySha256', () => {
  test('passes on the right bytes, however they are cut', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 20 }), async (arrays) => {
        const chunks = arrays.map((array) => Buffer.from(array))
        const whole = Buffer.concat(chunks)
        const read = await buffer(verifySha256(Readable.from(chunks, { objectMode: false }), expectedOf(whole)))
        expect(read.equals(whole)).toBe(true)
      }),
    )
  })

  test.each([100_000, 4096, 1])(
    'never delivers as many bytes as expected when one is wrong (chunks of %i)',
    async (size) => {
      const wrong = Buffer.from(bytes)
      wrong.writeUInt8(wrong.readUInt8(0) ^ 1)
      const read = await readAll(verifySha256(Readable.from(chunksOf(wrong, size)), expectedOf(bytes)))
      expect(read.error).toBeInstanceOf(CorruptBytesError)
      expect(read.size).toBeLessThan(bytes.length)
    },
  )

  test('too few bytes', async () => {
    const read = await readAll(verifySha256(Readable.from(chunksOf(bytes.subarray(1), 4096)), expectedOf(bytes)))
    expect(read.error).toBeInstanceOf(CorruptBytesError)
  })

  test('too many bytes fail at once, without reading the rest', async () => {
    let produced = 0
    const endless = Readable.from(
      (async function* () {
        for (;;) {
          produced += bytes.length
          yield bytes
        }
      })(),
    )
    const read = await readAll(verifySha256(endless, expectedOf(bytes)))
    expect(read.error).toBeInstanceOf(CorruptBytesError)
    expect(read.size).toBeLessThan(bytes.length)
    expect(produced).toBeLessThan(100 * bytes.length)
    expect(endless.destroyed).toBe(true)
  })

  test('nothing is not the empty file of another hash', async () => {
    const read = await readAll(verifySha256(Readable.from([]), { size: 0, sha256: expectedOf(bytes).sha256 }))
    expect(read.error).toBeInstanceOf(CorruptBytesError)
  })

  test('an error of the source reaches the reader as it is', async () => {
    const error = new Error('socket closed')
    const source = new Readable({
      read() {
        this.destroy(error)
      },
    })
    expect((await readAll(verifySha256(source, expectedOf(bytes)))).error).toBe(error)
  })

  test('a reader that goes away closes the source', async () => {
    const source = Readable.from(chunksOf(bytes, 10))
    const verified = verifySha256(source, expectedOf(bytes))
    const closed = new Promise((resolve) => source.once('close', resolve))
    verified.destroy()
    await closed
    expect(source.destroyed).toBe(true)
  })
})
