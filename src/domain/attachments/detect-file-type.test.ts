import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import type { ContentKind } from '../../ports/memory-backend.ts'
import { detectFileType, isCompatible } from './detect-file-type.ts'
import { fileTypes } from './file-types.ts'

const fixtures = join(import.meta.dirname, '../../../fixtures/files')
const scratch = mkdtempSync(join(tmpdir(), 'detect-'))
afterAll(() => rmSync(scratch, { recursive: true }))

function inMemory(content: Buffer | string) {
  const bytes = Buffer.from(content as string)
  return { bytes, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
}

function onDisk(content: Buffer) {
  const path = join(scratch, 'spooled')
  writeFileSync(path, content)
  return { path, size: content.length, sha256: '' }
}

async function detect(content: Buffer | string, name = 'file') {
  return (await detectFileType(inMemory(content), name))?.ext
}

const expected: Readonly<Record<string, keyof typeof fileTypes | undefined>> = {
  'picture.png': 'png',
  'picture.jpg': 'jpg',
  'picture.webp': 'webp',
  'picture.gif': 'gif',
  'picture.heic': 'heic',
  'picture.avif': 'avif',
  'picture.tiff': 'tiff',
  'picture.svg': 'svg',
  'picture-declared.svg': 'svg',
  'tone.wav': 'wav',
  'tone.mp3': 'mp3',
  'tone.m4a': 'm4a',
  'tone.mp4': 'm4a',
  'tone.ogg': 'ogg',
  'tone.opus': 'opus',
  'tone.flac': 'flac',
  'tone.aac': 'aac',
  'tone.webm': 'webm',
  'document.pdf': 'pdf',
  'document-cjk.pdf': 'pdf',
  'document.docx': 'docx',
  'slides.pptx': 'pptx',
  'sheet.xlsx': 'xlsx',
  'document.rtf': 'rtf',
  'page.html': 'html',
  'message.eml': 'eml',
  'note.txt': 'txt',
  'note-gb18030.txt': 'txt',
  'note.md': 'md',
  'table.csv': 'csv',
  'data.json': 'json',
  'empty.txt': 'txt',
  'png-named.wav': 'png',
  'png-truncated.png': 'png',
  'png-with-script.png': 'png',
  'html-named.png': 'html',
  'video.mp4': undefined,
  'video.webm': undefined,
  'archive.zip': undefined,
  'program.exe': undefined,
  'random.bin': undefined,
}

describe('the fixtures', () => {
  test.each(Object.entries(expected))('%s', async (name, ext) => {
    const content = readFileSync(join(fixtures, name))
    const type = ext && fileTypes[ext]
    expect(await detectFileType(inMemory(content), name)).toEqual(type)
    expect(await detectFileType(onDisk(content), name)).toEqual(type)
  })

  test.each(Object.entries(expected))('%s under a name that lies', async (fixture, ext) => {
    const found = await detect(readFileSync(join(fixtures, fixture)), 'holiday.png')
    // Markdown and tables differ from other text by their name alone.
    expect(found).toBe(ext === 'md' || ext === 'csv' ? 'txt' : ext)
  })
})

describe('markup, by its first element', () => {
  test.each([
    ['<?xml version="1.0"?>\n<!DOCTYPE svg PUBLIC "-//W3C" "x" [ <!ENTITY a "b"> ]>\n<svg xmlns="s"/>', 'svg'],
    ['\ufeff  <!-- a <html> b -->\n<SVG viewBox="0 0 1 1"></SVG>', 'svg'],
    ['<svg:svg xmlns:svg="s"/>', 'svg'],
    ['<svgish/>', 'txt'],
    ['<!-- page --><!DOCTYPE html><p>', 'html'],
    ['<?xml version="1.0"?><html xmlns="h"><body/></html>', 'html'],
    ['<div>a fragment</div>', 'html'],
    ['<?xml version="1.0"?><note>no page</note>', 'txt'],
    ['I like <b>bold</b> words', 'txt'],
    ['<!-- never closed', 'txt'],
  ])('%s', async (content, ext) => {
    expect(await detect(content)).toBe(ext)
  })

  test('a page in another encoding', async () => {
    expect(await detect(Buffer.from('<html><body>caf\xe9\n</body></html>', 'latin1'))).toBe('html')
  })

  test('a Markdown file may open with a fragment, not with a page', async () => {
    expect(await detect('<p align="center">logo</p>\n\n# Title', 'README.md')).toBe('md')
    expect(await detect('<!doctype html><p>', 'README.md')).toBe('html')
  })
})

describe('e-mail, by three header lines', () => {
  test.each([
    ['From: a@b\nTo: c@d\nSubject: s\n\nhi', 'eml'],
    ['From a@b Mon Jan 6\nReceived: from x\n by y\nX-Own: 1\nFrom: a@b\nDate: now\n\nhi', 'eml'],
    ['From: a@b\nTo: c@d\n\nSubject: s', 'txt'],
    ['title: x\nauthor: y\ntags: z\n', 'txt'],
  ])('%s', async (content, ext) => {
    expect(await detect(content, 'note.txt')).toBe(ext)
  })

  test('a body of another encoding', async () => {
    const head = 'From: a@b\r\nTo: c@d\r\nSubject: s\r\n\r\n'
    expect(await detect(Buffer.from(`${head}caf\xe9\r\n`, 'latin1'))).toBe('eml')
  })
})

describe('plain text', () => {
  test.each([
    ['[1, 2]', 'a.txt', 'json'],
    ['\ufeff{"a": 1}', 'a.txt', 'json'],
    ['[not json]', 'a.json', 'txt'],
    ['42', 'a.json', 'txt'],
    ['a\tb', 'A.TSV', 'tsv'],
    ['# a', 'A.MARKDOWN', 'md'],
    ['BMW, GIF, MZ and PK are words', 'a.txt', 'txt'],
    ['GIF is a word', 'a.txt', 'txt'],
    ['ID3 is a tag', 'a.txt', 'txt'],
    ['\x1b[31mred\x1b[0m', 'run.log', 'txt'],
    ['a\x00b', 'a.txt', undefined],
    ['a\x01b', 'a.txt', undefined],
  ])('%j as %s', async (content, name, ext) => {
    expect(await detect(content, name)).toBe(ext)
  })

  test('a character cut in two at the end of the head', async () => {
    for (const shift of ['', 'a', 'ab']) {
      const long = Buffer.from(shift + '图'.repeat(40_000))
      expect(await detect(long, 'a.txt')).toBe('txt')
      expect((await detectFileType(onDisk(long), 'a.md'))?.ext).toBe('md')
    }
  })

  test('JSON longer than the head, by its first character and its name', async () => {
    const long = JSON.stringify({ text: 'x'.repeat(100_000) })
    expect(await detect(long, 'a.json')).toBe('json')
    expect(await detect(long, 'a.txt')).toBe('txt')
  })
})

describe('hostile content', () => {
  const magics = [
    '504b0304',
    '1a45dfa3',
    '0000002066747970',
    '89504e470d0a1a0a',
    '4f676753',
    '49443303',
    '25504446',
    '52494646',
    '49492a00',
  ]

  test.each(magics)('20 MB of junk after %s', { timeout: 10_000 }, async (magic) => {
    const junk = Buffer.alloc(20_000_000, 7)
    for (let n = 0; n < junk.length; n += 4099) junk.writeUInt8(n % 251, n)
    junk.write(magic, 'hex')
    await detectFileType(inMemory(junk), 'a')
    await detectFileType(onDisk(junk), 'a')
  })

  test('an MP4 of tiny boxes', { timeout: 10_000 }, async () => {
    const boxes = Buffer.alloc(8_000_000)
    for (let n = 0; n < boxes.length; n += 8) boxes.write('00000008667265', n, 'hex')
    boxes.write('00000018667479706d703432', 'hex')
    expect(await detectFileType(onDisk(boxes), 'a')).toBeUndefined()
  })

  test('any bytes, after any magic, and any piece of a real file: a supported type or nothing', async () => {
    const known = new Set<unknown>([undefined, ...Object.values(fileTypes)])
    const real = Object.keys(expected).map((name) => readFileSync(join(fixtures, name)))
    const bytes = fc.uint8Array({ maxLength: 300 })
    const content = fc.oneof(
      fc
        .tuple(fc.constantFrom(...magics), bytes)
        .map(([magic, rest]) => Buffer.concat([Buffer.from(magic, 'hex'), rest])),
      fc.tuple(fc.constantFrom(...real), fc.nat(), bytes).map(([file, cut, rest]) => {
        const end = cut % (file.length + 1)
        return Buffer.concat([file.subarray(0, end), rest, file.subarray(end)])
      }),
      bytes.map((array) => Buffer.from(array)),
    )
    await fc.assert(
      fc.asyncProperty(content, fc.string(), async (file, name) => {
        expect(known).toContain(await detectFileType(inMemory(file), name))
      }),
      { numRuns: 500 },
    )
  })

  test('a file that cannot be read is an error, not a type', async () => {
    await expect(detectFileType({ path: join(scratch, 'gone'), size: 1, sha256: '' }, 'a')).rejects.toThrow('ENOENT')
  })
})

test('a document may be a PDF, a page or an e-mail; nothing else stands in for another kind', () => {
  const kinds: ContentKind[] = ['image', 'audio', 'doc', 'pdf', 'html', 'email']
  const accepted = kinds.flatMap((declared) =>
    kinds
      .filter((kind) => isCompatible(declared, { kind, ext: '', mimeType: '' }))
      .map((kind) => `${declared}<-${kind}`),
  )
  expect(accepted).toEqual([
    'image<-image',
    'audio<-audio',
    'doc<-doc',
    'doc<-pdf',
    'doc<-html',
    'doc<-email',
    'pdf<-pdf',
    'html<-html',
    'email<-email',
  ])
})
