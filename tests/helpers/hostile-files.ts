import { crc32, deflateRawSync, deflateSync } from 'node:zlib'
import { docx, zip } from '../../fixtures/office.ts'
import { writeZip } from './hostile-zip.ts'

const MIB = 1024 * 1024

export interface HostileFile {
  readonly name: string
  /** As a message declares it. */
  readonly kind: string
  readonly bytes: Buffer
}

const file = (name: string, kind: string, bytes: Buffer | string): HostileFile => ({
  name,
  kind,
  bytes: Buffer.from(bytes as string),
})

/** A PNG of 8-bit grey, whose pixels may be fewer than its header says. */
export function png(width: number, height: number, pixelBytes: number): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header[8] = 8
  const pixels = deflateSync(Buffer.alloc(pixelBytes), { level: 9 })
  const chunks = [chunk('IHDR', header), chunk('IDAT', pixels), chunk('IEND', Buffer.alloc(0))]
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), ...chunks])
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const length = Buffer.alloc(4)
  length.writeUInt32BE(data.length)
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, sum])
}

function gif(width: number, height: number, frames: number): Buffer {
  const size = Buffer.alloc(4)
  size.writeUInt16LE(width, 0)
  size.writeUInt16LE(height, 2)
  const frame = Buffer.concat([Buffer.from([0x2c, 0, 0, 0, 0]), size, Buffer.from([0, 2, 2, 0x4c, 1, 0])])
  const screen = Buffer.from([0x80, 0, 0, 0, 0, 0, 255, 255, 255])
  return Buffer.concat([Buffer.from('GIF89a'), size, screen, ...Array<Buffer>(frames).fill(frame), Buffer.from([0x3b])])
}

function tiff(width: number, height: number): Buffer {
  const bytes = Buffer.alloc(38)
  bytes.write('II*\0', 0, 'latin1')
  bytes.writeUInt32LE(8, 4)
  bytes.writeUInt16LE(2, 8)
  for (const [index, value] of [width, height].entries()) {
    bytes.writeUInt16LE(256 + index, 10 + 12 * index)
    bytes.writeUInt16LE(4, 12 + 12 * index)
    bytes.writeUInt32LE(1, 14 + 12 * index)
    bytes.writeUInt32LE(value, 18 + 12 * index)
  }
  return bytes
}

/** Each entity is ten of the one before it. */
function laughs(root: string): string {
  const entities = Array.from({ length: 12 }, (_, n) => `<!ENTITY a${n + 1} "${`&a${n};`.repeat(10)}">`)
  return `<?xml version="1.0"?><!DOCTYPE ${root} [<!ENTITY a0 "ha">${entities.join('')}]>`
}

const wordType = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml'
const packageNs = 'http://schemas.openxmlformats.org/package/2006'
const officeDocument = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument'
const officeParts = {
  '[Content_Types].xml': `<Types xmlns="${packageNs}/content-types"><Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="${wordType}"/></Types>`,
  '_rels/.rels': `<Relationships xmlns="${packageNs}/relationships"><Relationship Id="r1" Type="${officeDocument}" Target="word/document.xml"/></Relationships>`,
}
const office = Object.entries(officeParts).map(([name, text]) => ({ name, packed: Buffer.from(text) }))
const bomb = (bytes: number) => ({
  name: 'word/document.xml',
  packed: deflateRawSync(Buffer.alloc(bytes), { level: 9 }),
  method: 8,
})

/** A small PDF whose one page unpacks to so many bytes. */
function pdfBomb(bytes: number): Buffer {
  const content = deflateSync(Buffer.alloc(bytes), { level: 9 })
  const head =
    '%PDF-1.7\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n2 0 obj\n<</Type/Pages/Kids[3 0 R]/Count 1>>\nendobj\n' +
    '3 0 obj\n<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>\nendobj\n' +
    `4 0 obj\n<</Length ${content.length}/Filter/FlateDecode>>stream\n`
  const tail = '\nendstream\nendobj\ntrailer<</Root 1 0 R>>\n%%EOF'
  return Buffer.concat([Buffer.from(head), content, Buffer.from(tail)])
}

function nestedMail(depth: number): string {
  const level = 'From: a@b.example\r\nMIME-Version: 1.0\r\nSubject: level\r\nContent-Type: message/rfc822\r\n\r\n'
  return `${level.repeat(depth)}Subject: core\r\n\r\nx`
}

/** Refused for what their directory or header says. */
export const refused: readonly (HostileFile & { reason: string })[] = [
  { ...file('bomb.docx', 'doc', writeZip([...office, { ...bomb(40 * MIB), unpacked: 40 * MIB }])), reason: 'archive' },
  {
    ...file('claims.docx', 'doc', writeZip([...office, { ...bomb(1000), unpacked: 3_000_000_000 }])),
    reason: 'archive',
  },
  {
    ...file(
      'overlap.zip',
      'doc',
      writeZip([
        { ...bomb(10_000), unpacked: 10_000 },
        ...Array.from({ length: 50 }, (_, n) => ({ ...bomb(10_000), unpacked: 10_000, name: `${n}`, offset: 0 })),
      ]),
    ),
    reason: 'archive',
  },
  {
    ...file(
      'entries.xlsx',
      'doc',
      writeZip(Array.from({ length: 50_000 }, (_, n) => ({ name: `${n}`, packed: Buffer.alloc(0) }))),
    ),
    reason: 'archive',
  },
  { ...file('locked.docx', 'doc', writeZip([{ ...office[0], ...bomb(10), flags: 1 }])), reason: 'archive' },
  { ...file('cut.docx', 'doc', docx(['cut']).subarray(0, -40)), reason: 'archive' },
  { ...file('huge.png', 'image', png(30_000, 30_000, 1000)), reason: 'pixels' },
  { ...file('huge.gif', 'image', gif(30_000, 30_000, 1)), reason: 'pixels' },
  { ...file('huge.tiff', 'image', tiff(30_000, 30_000)), reason: 'pixels' },
  { ...file('blank.tiff', 'image', tiff(0, 30_000)), reason: 'unreadable' },
]

const words = (text: string) => zip({ ...officeParts, 'word/document.xml': text })

/** Taken, as no header tells what they do to those who read them; and what is said of those that cannot be read. */
export const taken: readonly (HostileFile & { says?: string })[] = [
  {
    ...file('laughing.docx', 'doc', words(`${laughs('document')}<document>&a12;</document>`)),
    says: 'could not be read',
  },
  { ...file('laughing.svg', 'image', `${laughs('svg')}<svg><text>&a12;</text></svg>`), says: 'could not be read' },
  {
    ...file('lying.docx', 'doc', writeZip([...office, { ...bomb(150 * MIB), unpacked: 1000 }])),
    says: 'could not be read',
  },
  { ...file('nesting.docx', 'doc', words(`${'<a>'.repeat(5000)}${'</a>'.repeat(5000)}`)), says: 'could not be read' },
  { ...file('swelling.pdf', 'pdf', pdfBomb(1200 * MIB)), says: 'could not be read: reading it failed' },
  { ...file('nesting.eml', 'email', nestedMail(300)) },
  { ...file('nesting.html', 'html', `<html>${'<div>'.repeat(20_000)}deep`) },
  { ...file('groups.rtf', 'doc', `{\\rtf1 ${'{'.repeat(2_000_000)}`) },
  { ...file('infos.rtf', 'doc', `{\\rtf1 ${'{\\info'.repeat(300_000)}`) },
  { ...file('titles.html', 'html', `<html>${'<title'.repeat(300_000)}`) },
  { ...file('columns.csv', 'doc', ','.repeat(1_000_000)) },
  { ...file('depth.json', 'doc', '['.repeat(200_000) + ']'.repeat(200_000)) },
  { ...file('blanks.txt', 'doc', `a${' '.repeat(3_000_000)}b`) },
  { ...file('dots.txt', 'doc', `a${'.'.repeat(399_000)}b`) },
  { ...file('frames.gif', 'image', gif(7000, 7000, 5000)) },
  { ...file('pixels.png', 'image', png(7000, 7000, 7001 * 7000)), says: '7000 x 7000' },
]
