import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createEmbeddedBackend } from '../../src/adapters/memory-backend/embedded/index.ts'
import type { DatabaseConnection } from '../../src/db/database.ts'
import { fileTypes } from '../../src/domain/attachments/file-types.ts'
import type { BackendFile, BackendSession, MemoryBackend } from '../../src/ports/memory-backend.ts'
import { openTestDatabase } from '../helpers/test-database.ts'

const random = () => randomBytes(8).toString('hex')
const types: Readonly<Record<string, (typeof fileTypes)[keyof typeof fileTypes]>> = fileTypes

let database: DatabaseConnection
let directory: string
let backend: MemoryBackend
let reader: MemoryBackend
const warnings: object[] = []

beforeAll(async () => {
  database = await openTestDatabase()
  directory = await mkdtemp(join(tmpdir(), 'embedded-files-test-'))
  const logger = { warn: (details: object) => warnings.push(details) }
  backend = createEmbeddedBackend({ db: database.db, logger, reading: { directory, timeoutMs: 25_000 } })
  reader = createEmbeddedBackend({
    db: database.db,
    logger,
    reading: { directory, ocrLanguages: ['eng', 'chi_sim'], keepGps: true },
  })
})

afterEach(() => {
  warnings.length = 0
})

afterAll(async () => {
  await Promise.all([backend.close(), reader.close()])
  expect(await readdir(directory)).toEqual([])
  await rm(directory, { recursive: true })
  await database.close()
})

/** `as`: the extension of the type that it was taken for, where its name says something else. */
function fixture(name: string, as = extname(name).slice(1)): BackendFile {
  const bytes = readFileSync(`fixtures/files/${name}`)
  const type = types[as === 'mp4' ? 'm4a' : as]
  if (!type) throw new Error(`no such type: ${as}`)
  return {
    ...type,
    name,
    size: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    open: () => Promise.resolve(Readable.from([bytes])),
    presign: () => Promise.resolve(undefined),
  }
}

async function remember(by: MemoryBackend, file: BackendFile): Promise<BackendSession> {
  const session = { projectId: `p${random()}`, senderId: `u${random()}`, sessionId: `s${random()}` }
  const other = { ...session, sessionId: `s${random()}` }
  const say = (each: BackendSession, item: { type: 'text'; text: string } | { type: 'file'; file: BackendFile }) =>
    by.add(each, [{ role: 'user', senderId: each.senderId, senderName: 'Ada', timestamp: 1_000, items: [item] }])
  await say(other, { type: 'text', text: 'We talked about the weather and had tea. 我们聊了天气,喝了茶。' })
  await say(session, { type: 'file', file })
  await by.flush(session)
  return session
}

async function best({ projectId, senderId }: BackendSession, query: string) {
  return (await backend.search({ projectId, senderId, query, topK: 1 })).hits[0]
}

const shapes = 'a red square at the top left, a blue circle at the top right and a green horizontal bar at the bottom'
const regions = 'red at the top left; blue at the top right; green at the bottom left, bottom and bottom right'

/** File, query, what the best answer says, and where in the file it stands. */
const readable: [string, string, string, { page?: number; sheet?: string; slide?: number }?][] = [
  ['picture.png', 'Which shape is blue?', shapes],
  ['picture.png', '蓝色圆形在哪里?', '右上蓝色圆形'],
  ['picture.gif', 'red square', shapes],
  ['picture.tiff', 'red square', shapes],
  ['picture.avif', '绿色横条', '底部绿色横条'],
  ['picture.jpg', 'green at the bottom', regions],
  ['picture.webp', '左上 红色', regions],
  ['picture.heic', 'image HEIC', '64 x 48 pixels'],
  ['picture.svg', 'blue circle', shapes],
  ['picture-declared.svg', '红色方块', shapes],
  ['frames.gif', 'animated picture', '3 frames in 0.6 s'],
  ['photo.jpg', 'Three signs', 'Taken (拍摄时间): 2024-05-01 18:30\nCamera (相机): Examplecam X-100'],
  [
    'photo.jpg',
    '相机 Examplecam',
    `160 x 120 pixels. Main colours: green (11%) on a white background. Colours by region: ${regions}`,
  ],
  ['tone.wav', 'tone of 440 Hz', 'WAV, 0.3 s, PCM, 8 kHz, mono, 128 kbit/s. It is a single tone of about 440 Hz.'],
  ['silence.wav', '静音', '内容为静音'],
  ['tone.mp3', 'audio MP3', 'MPEG 2.5 Layer 3, 8 kHz, mono, 32 kbit/s'],
  ['song.mp3', '灯塔之歌', 'Title: 灯塔之歌\nArtist: The Lamplighters\nAlbum: Harbour songs\nYear: 2019'],
  ['tone.m4a', 'audio M4A', 'MPEG-4/AAC, 8 kHz'],
  ['tone.mp4', '音频', 'MPEG-4/AAC, 8 kHz'],
  ['tone.ogg', 'audio OGG', '0.3 s, Vorbis I'],
  ['tone.opus', 'opus', '0.3 s, Opus'],
  ['tone.flac', 'flac', '0.3 s, FLAC'],
  ['tone.aac', 'audio AAC', 'AAC, 8 kHz, mono'],
  ['tone.webm', 'audio WEBM', '0.3 s, OPUS'],
  ['document.pdf', 'red square', 'document.pdf, page 1\nThe red square is top left.', { page: 1 }],
  ['document-cjk.pdf', '图片', '图片', { page: 1 }],
  ['report.pdf', 'maintenance of the lighthouse', 'The maintenance took nine days.', { page: 1 }],
  ['report.pdf', '渡轮票价', '渡轮码头在十月重新开放,票价为十二元。', { page: 2 }],
  ['report.pdf', 'storms', 'report.pdf, page 3\nStorms closed the harbour twice.', { page: 3 }],
  ['document.docx', '绿色横条', '绿色横条在底部。'],
  ['slides.pptx', '备注', 'The blue circle is top right.\nNotes: 这是备注。', { slide: 1 }],
  ['talk.pptx', 'crane', 'talk.pptx, slide 1\nHarbour plans\nA new crane for the eastern quay', { slide: 1 }],
  ['talk.pptx', '港务局', '预算\n起重机需要八十万元。\nNotes: 请港务局确认。', { slide: 2 }],
  ['sheet.xlsx', '圆圈', 'shape | colour\nsquare | red\n圆圈 | 蓝色', { sheet: 'Sheet1' }],
  ['budget.xlsx', 'When are the ropes due?', 'ropes | 2024-07-01', { sheet: 'Plan' }],
  ['budget.xlsx', '灯笼多少钱', '项目 | 金额\n灯笼 | 三百元', { sheet: '预算' }],
  ['document.rtf', 'green bar', 'The green bar is at the bottom.'],
  ['message.eml', '李雷', '你好 Ada, the red square is top left.'],
  ['attached.eml', 'windmill', 'minutes.pdf, page 1\nWe agreed on a windmill.'],
  ['attached.eml', '王芳买什么', '谁 | 什么\n王芳 | 买帆布'],
  [
    'attached.eml',
    'minutes of Tuesday',
    'Attachments: minutes.pdf, list.csv, broken.docx\n\nThe minutes are attached.',
  ],
  ['page.html', '蓝色圆圈', 'The blue circle is top right. 蓝色圆圈在右上角。'],
  ['note.txt', '红色方块', 'The red square is top left.\n红色方块在左上角。'],
  ['note-gb18030.txt', '绿色横条', '红色方块在左上角，绿色横条在底部。'],
  ['note.md', 'shapes', '- 蓝色圆圈, top right'],
  ['table.csv', '右上角', 'shape | colour | place\nsquare | red | top left\n圆圈 | 蓝色 | 右上角'],
  ['table.tsv', 'heron', 'bird | place\nheron | marsh, north\n白鹭 | 南岸'],
  ['data.json', '圆圈', '"圆圈"'],
]

describe('a file of every type', () => {
  it('is in this table', () => {
    const tried = new Set(readable.map(([name]) => extname(name).slice(1)))
    expect(Object.keys(fileTypes).filter((ext) => !tried.has(ext))).toEqual([])
  })

  it.each(readable)('%s is found by "%s"', async (name, query, expected, at) => {
    const file = fixture(name)
    const hit = await best(await remember(backend, file), query)
    expect(hit?.text).toContain(expected)
    expect(hit?.text).toContain(name)
    expect(hit?.sources?.[0]?.place).toEqual({ sha256: file.sha256, ...at })
    expect(warnings).toEqual([])
  })

  it('says nothing of where a photo was taken, unless it is to be kept', async () => {
    const place = 'Place (拍摄位置): 48.85833, 2.29444'
    expect((await best(await remember(backend, fixture('photo.jpg')), 'Examplecam'))?.text).not.toContain('48.85')
    expect((await best(await remember(reader, fixture('photo.jpg')), 'Examplecam'))?.text).toContain(place)
  })
})

describe('text in pictures', () => {
  it.each([
    ['text.png', 'Where is the parking permit?', undefined],
    ['text.png', '身份证', undefined],
    ['scan.pdf', 'parking permit 4711', { page: 1 }],
    ['scan-mask.pdf', '会议室在三楼', { page: 1 }],
  ])('%s is found by "%s" where Tesseract reads it', { timeout: 60_000 }, async (name, query, at) => {
    const hit = await best(await remember(reader, fixture(name)), query)
    expect(hit?.text).toMatch(/Parking permit 4711\s+Valid until 31 March 2027\s+会议室在三楼，请带身份证/)
    expect(hit?.sources?.[0]?.place).toMatchObject(at ?? {})
  })

  it('is not read otherwise, which is said of a scan', async () => {
    const scan = await best(await remember(backend, fixture('scan.pdf')), 'scan.pdf')
    expect(scan?.text).toMatch(/^scan\.pdf \(pdf, .*; 1 page without text, perhaps scanned\)$/)
    expect((await best(await remember(backend, fixture('text.png')), 'text.png'))?.text).not.toContain('permit')
  })
})

describe('a file that is not what it was taken for', () => {
  it.each([
    ['png-named.wav', 'wav', 'not a sound'],
    ['html-named.png', 'png', 'not a picture'],
    ['png-truncated.png', 'png', 'not a picture'],
    ['archive.zip', 'docx', 'no text part'],
    ['archive.zip', 'xlsx', 'no sheets'],
    ['archive.zip', 'pptx', 'no slides'],
    ['program.exe', 'txt', 'not text'],
    ['random.bin', 'pdf', 'damaged'],
    ['random.bin', 'mp3', 'damaged'],
    ['random.bin', 'docx', 'damaged'],
    ['empty.txt', 'txt', 'empty'],
  ])('%s as %s is remembered by its name alone', async (name, as, reason) => {
    const file = fixture(name, as)
    const hit = await best(await remember(reader, file), name)
    expect(hit?.text).toMatch(new RegExp(`^${name} \\(${file.ext}, .*could not be read: .*${reason}[^\\n]*$`))
    expect(hit?.sources?.[0]?.place).toEqual({ sha256: file.sha256 })
  })

  it('what hangs on behind a picture is not read', async () => {
    const hit = await best(await remember(reader, fixture('png-with-script.png', 'png')), 'png-with-script.png')
    expect(hit?.text).toContain(shapes)
    expect(hit?.text).not.toContain('alert')
  })
})
