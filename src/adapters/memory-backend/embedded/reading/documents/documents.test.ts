import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { strToU8, zipSync } from 'fflate'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FileReading } from '../file-reading.ts'
import { decodeText } from './decode-text.ts'
import { htmlText } from './html-text.ts'
import { readDocx } from './read-docx.ts'
import { readPptx } from './read-pptx.ts'
import { rtfText } from './read-rtf.ts'
import { readTable } from './read-table.ts'
import { readXlsx } from './read-xlsx.ts'
import { decodeEntities, xmlAttribute, xmlPieces } from './xml-text.ts'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'documents-test-'))
})
afterAll(() => rm(directory, { recursive: true }))

async function jobFor(ext: string, bytes: Uint8Array) {
  const path = join(directory, `file.${ext}`)
  await writeFile(path, bytes)
  return { path, ext, kind: 'doc', size: bytes.length, complete: true } as const
}

const whole = ({ sections }: FileReading) => sections.map(({ text }) => text).join('\n\n')

const zip = (parts: Record<string, string>) =>
  zipSync(Object.fromEntries(Object.entries(parts).map(([name, text]) => [name, strToU8(text)])))

describe('decodeText', () => {
  it.each([
    ['UTF-8', Uint8Array.from(Buffer.from('\ufeff红色é')), '红色é'],
    ['UTF-16', Uint8Array.from([0xff, 0xfe, 0xa2, 0x7e]), '红'],
    ['UTF-16, other end first', Uint8Array.from([0xfe, 0xff, 0x7e, 0xa2]), '红'],
    ['GB 18030', Uint8Array.from([0xba, 0xec, 0xc9, 0xab]), '红色'],
    ['Windows-1252', Uint8Array.from([0x63, 0x61, 0x66, 0xe9]), 'café'],
  ])('%s', (_, bytes, text) => expect(decodeText(bytes, true)).toBe(text))

  it('takes a head that ends within a character as what it is', () => {
    expect(decodeText(Buffer.from('红色').subarray(0, 5), false)).toBe('红')
  })
})

describe('rtfText', () => {
  it('leaves out what is not text, and decodes what is', () => {
    const rtf = String.raw`{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}{\f1\fcharset134 SimSun;}}{\info{\title T}}{\*\generator X}
\f0 caf\'e9 \b bold\b0\par \u32418?\uc0\u33394 !\line{\f1 \'ba\'ec}\emdash\{x\}{\pict 0011}}`
    expect(rtfText(rtf)).toBe('café bold\n红色!\n红—{x}')
  })

  it('survives broken braces', () => expect(rtfText(`}}}a${'{'.repeat(5_000)}b`)).toBe('ab'))
})

describe('xml', () => {
  it('expands no entity that a document defines', () => {
    const xml = '<!DOCTYPE a [<!ENTITY x "boom">]><p:a t="1 &lt; 2">&x;&amp;&#x7ea2;<![CDATA[<b>]]></p:a>'
    const text = [...xmlPieces(xml)].flatMap(({ kind, value }) => (kind === 'text' ? [value] : [])).join('')
    expect(text).toContain('&x;&红<b>')
    expect(text).not.toContain('boom;')
  })

  it.each(['<a ', '<a b="', "<a b='>", '<!--', '<!', '<![CDATA[', '</', '<'])(
    'does not choke on "%s" without end',
    (open) => {
      const pieces = [...xmlPieces(`<t>said</t>${open.repeat(300_000)}`)]
      expect(pieces[1]).toEqual({ kind: 'text', name: 't', value: 'said' })
    },
  )

  it('reads attributes by their local name', () => {
    expect(xmlAttribute(' r:id="rId1" name="a &amp; b"', 'name')).toBe('a & b')
    expect(xmlAttribute(' rename="x"', 'name')).toBeUndefined()
    expect(decodeEntities('&#99999999;&nope;&#1114112;')).toBe('&#99999999;&nope;�')
  })
})

describe('office files', () => {
  it('reads tables and the title of a docx', async () => {
    const cell = (text: string) => `<w:tc><w:p><w:r><w:t>${text}</w:t></w:r></w:p></w:tc>`
    const document = `<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>Prices</w:t></w:r></w:p><w:tbl><w:tr>${cell('tea')}${cell('3')}</w:tr><w:tr>${cell('茶')}${cell('4')}</w:tr></w:tbl></w:body></w:document>`
    const types = `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>`
    const core = '<cp:coreProperties xmlns:cp="x" xmlns:dc="y"><dc:title>Price list</dc:title></cp:coreProperties>'
    const rels = `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>`
    const job = await jobFor(
      'docx',
      zip({
        '[Content_Types].xml': types,
        '_rels/.rels': rels,
        'word/document.xml': document,
        'docProps/core.xml': core,
      }),
    )
    const reading = await readDocx(job)
    expect(reading.title).toBe('Price list')
    expect(whole(reading)).toMatch(/Prices\s+tea\s+\|\s+3\s+茶\s+\|\s+4/)
  })

  it('reads slides in order, with notes, without page numbers', async () => {
    const slide = (text: string) => `<p:sld><a:p><a:r><a:t>${text}</a:t></a:r><a:fld><a:t>7</a:t></a:fld></a:p></p:sld>`
    const parts = Object.fromEntries([10, 2, 1].map((number) => [`ppt/slides/slide${number}.xml`, slide(`s${number}`)]))
    const job = await jobFor('pptx', zip({ ...parts, 'ppt/notesSlides/notesSlide2.xml': slide('remark') }))
    expect((await readPptx(job)).sections).toEqual([
      { slide: 1, text: 's1' },
      { slide: 2, text: 's2\nNotes: remark' },
      { slide: 3, text: 's10' },
    ])
  })

  it('reads every kind of cell, under the name of its sheet', async () => {
    const sheet = `<worksheet><sheetData><row><c t="s"><v>1</v></c><c><v>4.5</v></c></row><row><c/></row><row><c t="inlineStr"><is><t>in</t></is></c><c t="str"><f>A1</f><v>sum</v></c></row></sheetData></worksheet>`
    const strings = '<sst><si><t>zero</t></si><si><r><t>o</t></r><r><t>ne</t></r><rPh><t>ワン</t></rPh></si></sst>'
    const workbook = '<workbook><sheets><sheet name="Budget &amp; Plan" sheetId="1"/></sheets></workbook>'
    const parts = { 'xl/worksheets/sheet1.xml': sheet, 'xl/sharedStrings.xml': strings, 'xl/workbook.xml': workbook }
    expect((await readXlsx(await jobFor('xlsx', zip(parts)))).sections).toEqual([
      { sheet: 'Budget & Plan', text: 'one | 4.5\nin | sum' },
    ])
  })

  it('refuses bombs before unpacking them', async () => {
    const many = zip(Object.fromEntries(Array.from({ length: 10_001 }, (_, index) => [`a${index}`, ''])))
    await expect(readXlsx(await jobFor('xlsx', many))).rejects.toThrow('too many parts')
    const tight = zipSync({ 'xl/worksheets/sheet1.xml': new Uint8Array(30_000_000) }, { level: 9 })
    await expect(readXlsx(await jobFor('xlsx', tight))).rejects.toThrow('too large when unpacked')
  })
})

it('keeps table cells of a page apart, and drops scripts and addresses', () => {
  const html =
    '<script>x()</script><h1>Title</h1><table><tr><th>a</th><th colspan=999999999>b</th></tr><tr><td>1</td><td>2</td></tr></table><a href="http://x">link</a><img src=y alt=z>'
  expect(htmlText(html)).toBe('Title\n\na | b\n1 | 2\n\nlink')
})

it('reads tables whatever their delimiter', async () => {
  expect(whole(await readTable(await jobFor('csv', strToU8('a;"b; c"\n1;2\n'))))).toBe('a | b; c\n1 | 2')
  expect(whole(await readTable(await jobFor('tsv', strToU8('a\tb,c\n'))))).toBe('a | b,c')
})
