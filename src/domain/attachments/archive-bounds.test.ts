import { readFileSync } from 'node:fs'
import { deflateRawSync } from 'node:zlib'
import { strToU8, zipSync } from 'fflate'
import { describe, expect, it } from 'vitest'
import { writeZip, type ZipClaims, type ZipEntry } from '../../../tests/helpers/hostile-zip.ts'
import { archiveFault } from './archive-bounds.ts'

const MIB = 1024 * 1024
const limits = { archiveEntries: 5000, archiveBytes: 500 * MIB, archiveRatio: 100 }

/** The fault, and how many bytes were read to find it. */
async function check(file: Uint8Array, given = limits) {
  const bytes = Buffer.from(file)
  let read = 0
  const readAt = async (position: number, length: number) => {
    const found = bytes.subarray(position, position + length)
    read += found.length
    return found
  }
  return { fault: await archiveFault(readAt, bytes.length, given), read }
}

const faultOf = async (file: Uint8Array, given = limits) => (await check(file, given)).fault
const stored = (name: string, text = name): ZipEntry => ({ name, packed: Buffer.from(text) })
const zeros = (bytes: number): ZipEntry => ({
  name: 'word/document.xml',
  packed: deflateRawSync(Buffer.alloc(bytes), { level: 9 }),
  method: 8,
  unpacked: bytes,
})

describe('a zip file is fine', () => {
  it.each(['document.docx', 'slides.pptx', 'sheet.xlsx', 'archive.zip'])('as %s', async (name) => {
    expect(await faultOf(readFileSync(`fixtures/files/${name}`))).toBeUndefined()
  })

  it('up to the limits themselves, and with a comment', async () => {
    const names = Array.from({ length: 5000 }, (_, index) => stored(`part${index}`))
    expect(await faultOf(writeZip(names, { comment: Buffer.from('made by hand') }))).toBeUndefined()
    expect(await faultOf(zipSync({ a: strToU8('x'.repeat(900)), 'b/c': strToU8('y') }))).toBeUndefined()
  })

  it('with a small part that is packed very tightly', async () => {
    expect(await faultOf(writeZip([zeros(MIB)]))).toBeUndefined()
  })

  it('with its sizes in zip64 records, as programs that stream write them', async () => {
    const entries = [stored('a'), { ...stored('b', 'long'), isLong: true }]
    expect(await faultOf(writeZip(entries, { longEntries: 2 }))).toBeUndefined()
    expect(await faultOf(writeZip(entries, { entries: 0xffff, longEntries: 2 }))).toBeUndefined()
  })

  it('whatever the archives in it hold: they are not opened', async () => {
    const inner = writeZip([zeros(40 * MIB)])
    expect(await faultOf(writeZip([{ name: 'word/embeddings/x.zip', packed: inner }]))).toBeUndefined()
  })
})

describe('a zip file is refused', () => {
  const kernel = zeros(4 * MIB)
  const shared = Array.from({ length: 100 }, (_, index) => ({ ...kernel, name: `${index}`, offset: 0 }))
  const [a, b] = [stored('a', 'x'.repeat(500)), stored('b')]
  const cases: [string, RegExp, readonly ZipEntry[], ZipClaims?][] = [
    ['packed too tightly', /100 times its size/, [zeros(30 * MIB)]],
    ['claiming too much', /more than 524288000 bytes/, [{ ...a, method: 8, unpacked: 501 * MIB }, b]],
    ['claiming too much in zip64 fields', /524288000/, [{ ...a, method: 8, unpacked: 2 ** 40, isLong: true }]],
    ['with an entry that is stored, but larger when unpacked', /contradicts itself/, [{ ...a, unpacked: 10 }]],
    ['whose entries are all the same bytes', /100 times its size/, [kernel, ...shared]],
    ['whose entries reach into the next', /overlap/, [{ ...a, packedClaim: 501, unpacked: 501 }, b]],
    ['whose last entry reaches into the directory', /overlap/, [{ ...b, packedClaim: 60, unpacked: 60 }]],
    ['with an entry outside of the file', /overlap|damaged/, [a, { ...b, offset: 10 ** 6 }]],
    ['with an entry inside of another', /overlap/, [a, { ...b, packed: Buffer.alloc(0), offset: 200 }]],
    ['encrypted', /encrypted/, [{ ...a, flags: 1 }]],
    ['with masked headers', /encrypted/, [{ ...a, flags: 0x2041 }]],
    ['that hides entries from those who count', /more entries than it says/, [a, b], { entries: 1 }],
    ['that counts entries which are not there', /damaged/, [a, b], { entries: 3 }],
    ['with a directory elsewhere', /not where it says/, [a, b], { shift: -1 }],
    ['whose two end records differ', /contradicts itself/, [a, b], { entries: 1, longEntries: 2 }],
    ['that has sizes elsewhere, and no elsewhere', /hides|damaged/, [{ ...a, method: 8, unpacked: 0xffffffff }]],
  ]

  it.each(cases)('%s', async (_what, fault, entries, claims) => {
    expect(await faultOf(writeZip(entries, claims))).toMatch(fault)
  })

  it('that overlaps even where sizes are allowed', async () => {
    const free = { ...limits, archiveRatio: 10 ** 6, archiveBytes: 10 ** 12 }
    expect(await faultOf(writeZip([kernel, ...shared]), free)).toMatch(/overlap/)
  })

  it('with 100 000 entries, before their list is read', async () => {
    const entries = Array.from({ length: 100_000 }, (_, index) => stored(`${index}`, ''))
    const file = writeZip(entries, { entries: 0xffff, longEntries: entries.length })
    const { fault, read } = await check(file)
    expect(fault).toMatch(/more than 5000 entries/)
    expect(read).toBeLessThan(70_000)
    // Without the zip64 records, the count has 16 bits, and turns over.
    const end = Buffer.from(file.subarray(-22))
    end.writeUInt16LE(entries.length & 0xffff, 8)
    end.writeUInt16LE(entries.length & 0xffff, 10)
    const turned = await check(Buffer.concat([file.subarray(0, -98), end]))
    expect(turned.fault).toMatch(/more than 5000 entries/)
    expect(turned.read).toBeLessThan(70_000)
  })

  it('whose directory points to what is no entry', async () => {
    const file = writeZip([a, b])
    file.write('KP', a.packed.length + 31)
    expect(await faultOf(file)).toBe('is damaged')
  })

  it('that is no zip file behind its first bytes', async () => {
    expect(await faultOf(Buffer.from('PK\u0003\u0004 no zip at all'))).toMatch(/no directory/)
    expect(await faultOf(readFileSync('fixtures/files/document.docx').subarray(0, -30))).toMatch(/no directory/)
  })

  it('or fine, but never a surprise, with any byte changed', async () => {
    const file = writeZip([a, { ...b, isLong: true }, zeros(1000)], { longEntries: 3 })
    for (let at = 4; at < file.length; at++) {
      for (const value of [0, 0xff, (file[at] ?? 0) ^ 1]) {
        const changed = Buffer.from(file)
        changed[at] = value
        const { fault, read } = await check(changed)
        expect(['string', 'undefined']).toContain(typeof fault)
        expect(read).toBeLessThan(file.length * 4)
      }
    }
  })
})
