import { createHash, randomBytes } from 'node:crypto'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createSpool } from './spool.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'spool-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

describe('the spool', () => {
  it.each([0, 1, 262_144, 262_145, 1_000_003])('takes %i bytes as they are, and knows their hash', async (size) => {
    const bytes = randomBytes(size)
    await using session = createSpool(dir).open()
    const file = await session.take(pieces(bytes, 60_000))
    expect(file).toMatchObject({ size, sha256: createHash('sha256').update(bytes).digest('hex') })
    expect(file.bytes ?? readFileSync(file.path ?? '')).toEqual(bytes)
    expect(file.path === undefined).toBe(size <= 262_144)
  })

  it.each([200_000, 1_500_000])('needs nothing of a chunk after it has asked for the next: %i bytes', async (size) => {
    const bytes = randomBytes(size)
    const chunk = Buffer.alloc(50_000)
    const reusing = (async function* () {
      for (let at = 0; at < bytes.length; at += chunk.length) {
        bytes.copy(chunk, 0, at)
        yield chunk
      }
    })()
    await using session = createSpool(dir).open()
    const file = await session.take(reusing)
    expect((file.bytes ?? readFileSync(file.path ?? '')).equals(bytes)).toBe(true)
  })

  it('leaves no file behind, also when the source breaks off', async () => {
    const spool = createSpool(dir)
    {
      await using session = spool.open()
      await session.take(pieces(randomBytes(600_000), 60_000))
      const broken = (async function* () {
        yield randomBytes(500_000)
        throw new Error('gone')
      })()
      await expect(session.take(broken)).rejects.toThrow('gone')
      expect(readdirSync(dir)).toHaveLength(2)
    }
    expect(readdirSync(dir)).toEqual([])
  })

  it('clears what a dead process left, and nothing younger', () => {
    const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000)
    for (const [name, minutes] of Object.entries({ old: 121, young: 119 })) {
      writeFileSync(join(dir, name), '')
      utimesSync(join(dir, name), minutesAgo(minutes), minutesAgo(minutes))
    }
    createSpool(dir)
    expect(readdirSync(dir)).toEqual(['young'])
  })

  it('bears a name whose file another process has removed, and the folder of a file system', () => {
    symlinkSync(join(dir, 'gone'), join(dir, 'vanished'))
    mkdirSync(join(dir, 'lost+found'))
    utimesSync(join(dir, 'lost+found'), 1000, 1000)
    createSpool(dir)
    expect(readdirSync(dir).toSorted()).toEqual(['lost+found', 'vanished'])
  })
})
