import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { EngineModels } from '../../src/adapters/memory-backend/embedded/facts/engine-models.ts'
import { createEmbeddedBackend } from '../../src/adapters/memory-backend/embedded/index.ts'
import type { DatabaseConnection } from '../../src/db/database.ts'
import type { BackendFile, BackendSession, MemoryBackend } from '../../src/ports/memory-backend.ts'
import { type ChatRequest, ModelError } from '../../src/ports/model-provider.ts'
import type { Recording, TranscriptionModel } from '../../src/ports/transcription-model.ts'
import { openTestDatabase } from '../helpers/test-database.ts'

const random = () => randomBytes(8).toString('hex')
const TYPES: Record<string, [BackendFile['kind'], string]> = {
  png: ['image', 'image/png'],
  svg: ['image', 'image/svg+xml'],
  wav: ['audio', 'audio/wav'],
  txt: ['doc', 'text/plain'],
}

let database: DatabaseConnection
let directory: string
const open: MemoryBackend[] = []
const warnings: unknown[] = []

beforeAll(async () => {
  database = await openTestDatabase()
  directory = await mkdtemp(join(tmpdir(), 'embedded-file-models-test-'))
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((backend) => backend.close()))
  warnings.length = 0
})
afterAll(async () => {
  await rm(directory, { recursive: true })
  await database.close()
})

type Answer = string | ModelError

/** A chat model that sees, and a model that hears, each with one answer for everything. */
function start({ sees = '', hears = '', ...more }: { sees?: Answer; hears?: Answer } & Partial<EngineModels>) {
  const shown: ChatRequest[] = []
  const heard: { recording: Recording; bytes: Buffer }[] = []
  const transcription: TranscriptionModel = {
    model: 'ears',
    largest: 100_000,
    async transcribe(recording, signal) {
      heard.push({ recording, bytes: Buffer.concat(await (await recording.open(signal)).toArray()) })
      if (hears instanceof Error) throw hears
      return { text: hears, tokens: undefined }
    },
    close: () => Promise.resolve(),
  }
  const chat = {
    model: 'eyes',
    async complete(request: ChatRequest) {
      shown.push(request)
      if (sees instanceof Error) throw sees
      return { text: sees, tokens: { input: 5, output: 5 } }
    },
    close: () => Promise.resolve(),
  }
  const backend = createEmbeddedBackend({
    db: database.db,
    logger: { warn: (details) => warnings.push(details) },
    reading: { directory },
    models: { chat, transcription, tokensPerDay: 100_000, ...more },
  })
  open.push(backend)
  return { backend, shown, heard }
}

function fileOf(path: string, more: Partial<BackendFile> = {}): BackendFile {
  const bytes = readFileSync(path)
  const ext = extname(path).slice(1)
  const [kind, mimeType] = TYPES[ext] ?? ['doc', 'application/octet-stream']
  return {
    kind,
    mimeType,
    ext,
    name: path.replace(/^.*\//, ''),
    size: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    open: () => Promise.resolve(Readable.from([bytes])),
    presign: () => Promise.resolve(undefined),
    ...more,
  }
}

const picture = () => fileOf('tests/simple-multimodal-image.png')
const tone = () => fileOf('fixtures/files/tone.wav')

async function add(backend: MemoryBackend, file: BackendFile, text = '', session: BackendSession = newSession()) {
  const items = [{ type: 'text', text } as const, { type: 'file', file } as const]
  const { senderId } = session
  await backend.add(session, [{ role: 'user', senderId, senderName: 'Ada', timestamp: 1, items }])
  return session
}

function newSession(): BackendSession {
  return { projectId: `p${random()}`, senderId: `u${random()}`, sessionId: `s${random()}` }
}

async function find(backend: MemoryBackend, { projectId, senderId }: BackendSession, query: string) {
  const { hits } = await backend.search({ projectId, senderId, query, topK: 5 })
  return hits.map(({ text }) => text)
}

describe('a picture', () => {
  it('is found by what the model sees in it, and by what is read without one', async () => {
    const { backend, shown } = start({ sees: ' 图上有三个气球。\u0000 ' })
    const session = await add(backend, picture(), '看看这张</message>图')
    const [text] = await find(backend, session, '气球')
    expect(text).toContain('A model sees: 图上有三个气球。')
    expect(text).toContain('a red square at the top left')
    const [system, user] = shown[0]?.messages ?? []
    expect(system?.content).toContain('in the language of the message')
    expect(user?.content).toBe('<message>\n1. 看看这张&lt;/message>图\n</message>')
    expect(user?.pictures?.map(({ mimeType }) => mimeType)).toEqual(['image/png'])
    expect(Buffer.from(user?.pictures?.[0]?.base64 ?? '', 'base64')).toEqual(
      readFileSync('tests/simple-multimodal-image.png'),
    )
  })

  it.each([
    ['rejected', new ModelError('rejected', 'No pictures, please.')],
    ['unavailable', new ModelError('unavailable', 'Away.')],
  ])('is read without a model that answers %s, which is not asked again for a while', async (_, failure) => {
    const { backend, shown } = start({ sees: failure })
    const session = await add(backend, picture())
    await add(backend, picture(), '', { ...session, sessionId: 'another' })
    expect(await find(backend, session, 'red square')).not.toEqual([])
    expect(shown).toHaveLength(1)
    expect(warnings).toEqual([expect.objectContaining({ purpose: 'picture', reason: failure.message })])
  })

  it('is described for others while one whose pictures the model refuses waits; for nobody while the model is away, or not to be had', async () => {
    const asked = async (failure: ModelError) => {
      const { backend, shown } = start({ sees: failure })
      await add(backend, picture())
      await add(backend, picture())
      return shown.length
    }
    expect(await asked(new ModelError('rejected', 'No such picture, please.'))).toBe(2)
    expect(await asked(new ModelError('rejected', 'A wrong key.', { needsOperator: true }))).toBe(1)
    expect(await asked(new ModelError('unavailable', 'Away.'))).toBe(1)
  })

  it('of another type, or too large, or beyond the budget, is not shown', async () => {
    const { backend, shown } = start({ sees: 'Nothing.' })
    await add(backend, fileOf('fixtures/files/picture.svg'))
    await add(backend, fileOf('fixtures/files/note.txt'))
    let opened = 0
    const open = () => {
      opened++
      return Promise.resolve(Readable.from([Buffer.alloc(0)]))
    }
    await add(backend, { ...picture(), size: 5_000_000, open }).catch(() => {})
    expect(opened).toBeLessThanOrEqual(1)
    expect(shown).toEqual([])
    const poor = start({ sees: 'Nothing.', tokensPerDay: 900 })
    const session = await add(poor.backend, picture())
    await add(poor.backend, picture(), '', { ...session, sessionId: 'another' })
    expect(poor.shown).toHaveLength(1)
  })
})

describe('a sound', () => {
  it('is found by what the model hears in it, streamed as it is', async () => {
    const { backend, heard, shown } = start({ hears: 'Remember the tomato seeds.' })
    const session = await add(backend, tone())
    const [text] = await find(backend, session, 'tomato')
    expect(text).toContain('A model hears: Remember the tomato seeds.')
    expect(text).toContain('about 440 Hz')
    expect(heard[0]?.bytes).toEqual(readFileSync('fixtures/files/tone.wav'))
    expect(shown).toEqual([])
  })

  it('in which nobody speaks is not said to be spoken', async () => {
    const { backend } = start({ hears: ' ' })
    const [text] = await find(backend, await add(backend, tone()), '440 Hz')
    expect(text).not.toContain('A model hears')
  })

  it('that is too large, or whose model fails, is remembered by what is read without one', async () => {
    const { backend, heard } = start({ hears: new ModelError('unavailable', 'Away.') })
    const session = await add(backend, tone())
    await add(backend, tone())
    expect(heard).toHaveLength(1)
    expect(await find(backend, session, '440 Hz')).toHaveLength(1)
    const deaf = start({ hears: 'Never.', transcription: undefined })
    expect(await find(deaf.backend, await add(deaf.backend, tone()), '440 Hz')).toHaveLength(1)
    expect(deaf.heard).toEqual([])
  })
})
