import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { Readable } from 'node:stream'
import { strToU8, zipSync } from 'fflate'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createEmbeddedBackend } from '../../src/adapters/memory-backend/embedded/index.ts'
import type { DatabaseConnection } from '../../src/db/database.ts'
import type {
  BackendFile,
  BackendMessage,
  BackendSession,
  ContentKind,
  MemoryBackend,
} from '../../src/ports/memory-backend.ts'
import { ObjectNotFoundError, ObjectStoreError } from '../../src/ports/object-store.ts'
import { openTestDatabase } from '../helpers/test-database.ts'

const random = () => randomBytes(8).toString('hex')
const kinds: Record<string, ContentKind> = {
  png: 'image',
  svg: 'image',
  wav: 'audio',
  pdf: 'pdf',
  html: 'html',
  eml: 'email',
}

let database: DatabaseConnection
let directory: string
let backend: MemoryBackend
const warnings: object[] = []

beforeAll(async () => {
  database = await openTestDatabase()
  directory = await mkdtemp(join(tmpdir(), 'embedded-backend-test-'))
  backend = createEmbeddedBackend({
    db: database.db,
    logger: { warn: (details) => warnings.push(details) },
    reading: { directory, timeoutMs: 20_000 },
  })
})

afterEach(() => {
  warnings.length = 0
})

afterAll(async () => {
  await backend.close()
  expect(await readdir(directory)).toEqual([])
  await rm(directory, { recursive: true })
  await database.close()
})

function newSession(): BackendSession {
  return { projectId: `p${random()}`, senderId: `u${random()}`, sessionId: `s${random()}` }
}

function fileOf(name: string, bytes: Uint8Array, open?: () => Promise<Readable>): BackendFile {
  const ext = extname(name).slice(1)
  return {
    kind: kinds[ext] ?? 'doc',
    name,
    ext,
    mimeType: 'application/octet-stream',
    size: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    open: open ?? (() => Promise.resolve(Readable.from([Buffer.from(bytes)]))),
    presign: () => Promise.resolve(undefined),
  }
}

function say(session: BackendSession, timestamp: number, ...items: (string | BackendFile)[]): BackendMessage {
  return {
    role: 'user',
    senderId: session.senderId,
    senderName: 'Ada',
    timestamp,
    items: items.map((item) =>
      typeof item === 'string' ? { type: 'text', text: item } : { type: 'file', file: item },
    ),
  }
}

async function remember(session: BackendSession, ...messages: BackendMessage[]): Promise<void> {
  await backend.add(session, messages)
  await backend.flush(session)
}

async function find(session: BackendSession, query: string, options: object = {}) {
  const { projectId, senderId } = session
  return (await backend.search({ projectId, senderId, query, topK: 5, ...options })).hits
}

async function rememberFile(name: string, bytes: Uint8Array): Promise<BackendSession> {
  const session = newSession()
  await remember(session, say(session, 1_000, fileOf(name, bytes)))
  return session
}

describe('buffer', () => {
  it('accumulates, extracts once, and says what it did', async () => {
    const session = newSession()
    const added = await backend.add(session, [say(session, 10, 'We planted tomatoes.'), say(session, 20, 'And basil.')])
    expect(added).toEqual({
      requestId: expect.stringMatching(/^[0-9a-f]{32}$/),
      messageCount: 2,
      status: 'accumulated',
    })
    expect(await find(session, 'tomatoes')).toMatchObject([{ timestamp: 10, pending: true }])
    expect((await backend.flush(session)).status).toBe('extracted')
    expect((await backend.flush(session)).status).toBe('no_extraction')
    const [hit] = await find(session, 'tomato')
    expect(hit?.pending).toBeUndefined()
    await backend.add(session, [say(session, 30, 'And parsley.')])
    expect((await find(session, 'basil parsley')).map(({ timestamp, pending }) => [timestamp, pending])).toEqual(
      expect.arrayContaining([
        [20, undefined],
        [30, true],
      ]),
    )
  })

  it('takes a message that it has, buffered or extracted, as done, and does not read its files again', async () => {
    const session = newSession()
    let opened = 0
    const note = fileOf('note.txt', strToU8('The spare key is under the flowerpot.'), () => {
      opened++
      return Promise.resolve(Readable.from([Buffer.from('The spare key is under the flowerpot.')]))
    })
    const message = say(session, 10, 'Where things are', note)
    await backend.add(session, [message])
    await backend.add(session, [message, say(session, 20, 'Something new')])
    await backend.flush(session)
    await backend.add(session, [message])
    expect((await backend.flush(session)).status).toBe('no_extraction')
    expect(opened).toBe(1)
    expect(await find(session, 'flowerpot')).toHaveLength(1)
  })

  it('names the messages that it never got', async () => {
    const session = newSession()
    await remember(session, say(session, 10, 'Extracted.'))
    await backend.add(session, [say(session, 20, 'Buffered.')])
    expect(await backend.findMissing(session, [10, 20, 30])).toEqual([30])
    expect(await backend.findMissing({ ...session, senderId: 'another' }, [10])).toEqual([10])
  })

  it('keeps nothing of an add that was given up', async () => {
    const session = newSession()
    const given = AbortSignal.abort(new Error('the client left'))
    await expect(backend.add(session, [say(session, 10, 'Lost.')], given)).rejects.toMatchObject({
      outcome: 'not_accepted',
    })
    expect(await backend.findMissing(session, [10])).toEqual([10])
  })

  it('takes text that PostgreSQL would refuse', async () => {
    const session = newSession()
    await remember(session, { ...say(session, 10, "It's a \\ 'quoted\u0000 pear\ud800 😀"), senderName: 'A\u0000da' })
    expect((await find(session, 'pear'))[0]?.text).toBe("It's a \\ 'quoted  pear\ufffd 😀")
  })

  it('extracts many messages and long ones', async () => {
    const session = newSession()
    const many = Array.from({ length: 180 }, (_, index) => say(session, index + 1, `Number item${index} of the list.`))
    await remember(session, ...many)
    expect((await find(session, 'item7')).map(({ timestamp }) => timestamp)).toEqual([8])
    expect((await find(session, 'item179')).map(({ timestamp }) => timestamp)).toEqual([180])
  })
})

describe('search', () => {
  it('says where a memory comes from and invents nothing', async () => {
    const session = newSession()
    await remember(session, say(session, 1_700_000_000_123, '我昨天在公园里看到了一只黑色的狗。'))
    expect(await find(session, '黑狗在公园吗')).toEqual([
      {
        id: expect.stringMatching(/^[0-9a-f]{32}$/),
        projectId: session.projectId,
        senderId: session.senderId,
        sessionId: session.sessionId,
        text: '我昨天在公园里看到了一只黑色的狗。',
        subject: '我昨天在公园里看到了一只黑色的狗。',
        facts: [],
        score: expect.any(Number),
        timestamp: 1_700_000_000_123,
        sources: [{ sessionId: session.sessionId, timestamp: 1_700_000_000_123 }],
        speaker: 'Ada',
      },
    ])
  })

  it('finds the forms of a word, ids as a whole, other scripts, and what only single characters share', async () => {
    const session = newSession()
    const texts = [
      'She was hiking in the Alps',
      'Invoice INV-2024-001 is paid',
      'Invoice INV-2024-002 is open',
      '東京でラーメンを食べた',
      'Le café près de la gare',
      '猫喜欢鱼',
    ]
    await remember(session, ...texts.map((text, index) => say(session, index + 1, text)))
    const first = async (query: string) => (await find(session, query))[0]?.timestamp
    expect(await first('hikes')).toBe(1)
    expect(await first('INV-2024-002')).toBe(3)
    expect(await first('inv-2024-001')).toBe(2)
    expect(await first('ラーメン')).toBe(4)
    expect(await first('cafe')).toBe(5)
    expect(await first('鱼和猫')).toBe(6)
    expect(await find(session, 'the of 的 ?! ')).toEqual([])
    expect(await find(session, "'; drop table engine_memories; -- \\ :* & ! <->")).toEqual([])
  })

  it('stays inside the partition, the sessions, the times and the score it was given', async () => {
    const session = newSession()
    const other = { ...session, sessionId: `s${random()}` }
    const stranger = { ...newSession(), sessionId: session.sessionId }
    const sameProject = { ...session, senderId: `u${random()}` }
    for (const [index, each] of [session, other, stranger, sameProject].entries()) {
      await remember(each, say(each, 100 + index, `A shared umbrella, with stain ${index}.`))
    }
    const times = async (options: object) =>
      (await find(session, 'umbrella stain', options)).map(({ timestamp }) => timestamp)
    expect(await times({})).toEqual([101, 100])
    expect(await times({ topK: 1 })).toEqual([101])
    const thousands = Array.from({ length: 3_000 }, () => random())
    expect(await times({ sessionIds: [...thousands, session.sessionId] })).toEqual([100])
    expect(await times({ sessionIds: thousands })).toEqual([])
    expect(await times({ from: 101 })).toEqual([101])
    expect(await times({ to: 100 })).toEqual([100])
    expect(await times({ minScore: 0.2 })).toEqual([101, 100])
    expect(await times({ minScore: 0.99 })).toEqual([])
    expect((await find(session, 'umbrella stain', { senderId: 'nobody' })).length).toBe(0)
  })

  it('ranks what has the rarer words first', async () => {
    const session = newSession()
    const common = Array.from({ length: 260 }, (_, index) =>
      say(session, index + 1, `The meeting about the budget, part ${index}`),
    )
    await remember(session, ...common, say(session, 1_000, 'The budget for the observatory is agreed'))
    const hits = await find(session, 'budget meeting observatory')
    expect(hits[0]?.timestamp).toBe(1_000)
    expect(hits).toHaveLength(5)
    for (const { score } of hits) expect(score).toBeGreaterThan(0)
    for (const { score } of hits) expect(score).toBeLessThan(1)
  })
})

describe('forget', () => {
  it('forgets a session, or all of one partition and nothing else', async () => {
    const session = newSession()
    const other = { ...session, sessionId: `s${random()}` }
    const sameProject = { ...session, senderId: `u${random()}` }
    for (const each of [session, other, sameProject]) {
      await remember(each, say(each, 10, 'A copper kettle.'))
      await backend.add(each, [say(each, 20, 'Pending pan.')])
    }
    const { projectId, senderId, sessionId } = session
    expect(await backend.forget({ projectId, senderId, sessionId })).toBe('forgotten')
    expect((await find(session, 'kettle')).map((hit) => hit.sessionId)).toEqual([other.sessionId])
    expect(await backend.findMissing(session, [10, 20])).toEqual([10, 20])
    expect(await backend.forget({ projectId, senderId })).toBe('forgotten')
    expect(await find(session, 'kettle pan')).toEqual([])
    expect((await backend.flush(other)).status).toBe('no_extraction')
    expect(await backend.findMissing(other, [10, 20])).toEqual([10, 20])
    expect(await find(sameProject, 'kettle')).toHaveLength(1)
    expect(await backend.forget({ projectId, senderId })).toBe('forgotten')
  })

  it('forgets more than one page of memories', async () => {
    const session = newSession()
    await remember(session, ...Array.from({ length: 700 }, (_, index) => say(session, index + 1, `marble ${index}`)))
    await backend.forget({ projectId: session.projectId, senderId: session.senderId })
    expect(await find(session, 'marble')).toEqual([])
    expect(await backend.findMissing(session, [1, 700])).toEqual([1, 700])
  })
})

describe('files', () => {
  it.each([
    '图片里的蓝色圆形在哪里?底部是什么颜色的横条?',
    '这张资源图片里有哪些几何图形和颜色?',
    'Which shape is at the top left?',
  ])('finds the picture by %s', async (query) => {
    const session = newSession()
    await remember(
      session,
      say(session, 10, '今天的会议讨论了下个季度的预算安排。'),
      say(session, 20, fileOf('simple-multimodal-image.png', readFileSync('tests/simple-multimodal-image.png'))),
      say(session, 30, '文件在哪里?里面没有文字。'),
    )
    const [hit] = await find(session, query)
    expect(hit?.timestamp).toBe(20)
    expect(hit?.text).toContain('a red square at the top left, a blue circle at the top right')
    expect(hit?.text).toContain('左上红色方块')
  })

  it.each([
    ['document.pdf', 'red square', 'The red square is top left.'],
    ['document-cjk.pdf', '图片', '图片'],
    ['document.docx', '绿色横条', '绿色横条在底部。'],
    ['slides.pptx', '备注', 'The blue circle is top right.'],
    ['sheet.xlsx', '圆圈', '圆圈 | 蓝色'],
    ['document.rtf', 'green bar', 'The green bar is at the bottom.'],
    ['message.eml', 'Ada', 'the red square is top left'],
    ['page.html', 'circle', '蓝色圆圈在右上角。'],
    ['note-gb18030.txt', '方块', '红色方块在左上角'],
    ['note.md', 'shapes', 'red square, top left'],
    ['table.csv', 'square', 'square | red | top left'],
    ['data.json', 'square', '"圆圈"'],
    ['picture.svg', 'circle', 'a blue circle at the top right'],
    ['tone.wav', 'tone', 'about 440 Hz'],
  ])('reads %s', async (name, query, expected) => {
    const session = await rememberFile(name, readFileSync(`fixtures/files/${name}`))
    const [hit] = await find(session, query)
    expect(hit?.text).toContain(expected)
    expect(hit?.text).toContain(name)
    expect(warnings).toEqual([])
  })

  it('reads every type of the fixtures without a fault', async () => {
    const session = newSession()
    const names = readdirSync('fixtures/files')
    const messages = names.map((name, index) =>
      say(session, index + 1, fileOf(name, readFileSync(`fixtures/files/${name}`))),
    )
    await remember(session, ...messages)
    expect(
      await backend.findMissing(
        session,
        messages.map(({ timestamp }) => timestamp),
      ),
    ).toEqual([])
  })

  it('keeps text and short files of a message together, and cuts long documents into passages of it', async () => {
    const session = newSession()
    const chapter = (name: string) => `${`The ${name} rose over the hill while they walked on. `.repeat(40)}\n\n`
    const book = strToU8(['moon', 'comet', 'planet'].map(chapter).join(''))
    await remember(
      session,
      say(session, 77, 'Two files', fileOf('short.txt', strToU8('A tiny lantern.')), fileOf('book.txt', book)),
    )
    const [together] = await find(session, 'lantern')
    expect(together?.text).toBe('Two files\n\nshort.txt\nA tiny lantern.')
    const passages = await find(session, 'comet', { topK: 100 })
    expect(passages.length).toBeGreaterThan(1)
    for (const passage of passages) {
      const place = { sha256: createHash('sha256').update(book).digest('hex') }
      expect(passage.sources).toEqual([{ sessionId: passage.sessionId, timestamp: 77, place }])
      expect(passage.text.length).toBeLessThanOrEqual(1_200)
      expect(passage.subject).toBe('book.txt')
    }
  })
})

describe('files that cannot be read', () => {
  const bomb = zipSync({ 'word/document.xml': new Uint8Array(40_000_000) }, { level: 9 })
  const slow = `<svg xmlns="http://www.w3.org/2000/svg" width="4000" height="4000"><filter id="f" filterUnits="userSpaceOnUse" x="0" y="0" width="4000" height="4000"><feTurbulence baseFrequency="0.05" numOctaves="9"/></filter>${'<rect width="4000" height="4000" filter="url(#f)"/>'.repeat(20_000)}</svg>`

  it.each([
    ['broken.pdf', strToU8('%PDF-1.7 nothing that follows'), 'damaged'],
    ['broken.docx', strToU8('PK no zip at all'), 'damaged'],
    ['bomb.docx', bomb, 'too large when unpacked'],
    ['locked.xlsx', Uint8Array.from([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]), 'encrypted'],
    ['empty.txt', new Uint8Array(), 'empty'],
    ['huge.svg', new Uint8Array(3_000_000), 'larger than'],
    ['broken.png', readFileSync('fixtures/files/png-truncated.png'), 'not a picture'],
  ])('remembers %s by its name', async (name, bytes, reason) => {
    const session = await rememberFile(name, bytes)
    const [hit] = await find(session, name)
    expect(hit?.text).toMatch(new RegExp(`^${name} \\(.*could not be read: .*${reason}`))
    expect(warnings).toEqual([expect.objectContaining({ reason: expect.stringContaining(reason) })])
  })

  it('kills a reading that takes too long, and reads on', async () => {
    const impatient = createEmbeddedBackend({ db: database.db, reading: { directory, timeoutMs: 2_500 } })
    try {
      const session = newSession()
      await impatient.add(session, [
        say(session, 1, fileOf('slow.svg', strToU8(slow))),
        say(session, 2, fileOf('fine.txt', strToU8('a fine day'))),
      ])
      await impatient.flush(session)
      expect((await find(session, 'slow'))[0]?.text).toContain('took too long')
      expect((await find(session, 'fine day'))[0]?.text).toContain('a fine day')
    } finally {
      await impatient.close()
    }
  })

  it('refuses to remember a file that is not the one that was stored', async () => {
    const session = newSession()
    for (const bytes of ['other', 'longer than it was', 'x']) {
      const changed = fileOf('note.txt', strToU8('first'), () => Promise.resolve(Readable.from([Buffer.from(bytes)])))
      await expect(backend.add(session, [say(session, 1, changed)])).rejects.toMatchObject({ code: 'FILE_CHANGED' })
    }
    expect(await backend.findMissing(session, [1])).toEqual([1])
  })

  it('remembers a file whose original is gone, but fails the add while it cannot be fetched', async () => {
    const session = newSession()
    const gone = fileOf('gone.txt', strToU8('x'), () => Promise.reject(new ObjectNotFoundError('no such key')))
    await remember(session, say(session, 1, gone))
    expect((await find(session, 'gone.txt'))[0]?.text).toContain('original is missing')
    const away = fileOf('away.txt', strToU8('x'), () => Promise.reject(new ObjectStoreError('the store is away')))
    const broken = fileOf('broken.txt', strToU8('xyz'), () =>
      Promise.resolve(
        new Readable({
          read() {
            this.destroy(new ObjectStoreError('cut off'))
          },
        }),
      ),
    )
    for (const file of [away, broken]) {
      await expect(backend.add(session, [say(session, 2, file)])).rejects.toMatchObject({
        outcome: 'not_accepted',
        code: 'FILE_UNAVAILABLE',
      })
    }
    expect(await backend.findMissing(session, [2])).toEqual([2])
  })
})

describe('health', () => {
  it('tells whether the database answers', async () => {
    expect(await backend.health()).toEqual({ status: 'ok', baseUrl: 'embedded', data: { status: 'ok' } })
    const another = await openTestDatabase()
    const orphan = createEmbeddedBackend({ db: another.db })
    await another.close()
    expect((await orphan.health()).status).toBe('unavailable')
    await expect(orphan.flush(newSession())).rejects.toMatchObject({
      name: 'BackendError',
      outcome: expect.stringMatching(/^(not_accepted|unknown)$/),
    })
    await orphan.close()
    await orphan.close()
  })
})
