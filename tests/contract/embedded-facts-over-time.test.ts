import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { createEmbeddedBackend } from '../../src/adapters/memory-backend/embedded/index.ts'
import type { DatabaseConnection } from '../../src/db/database.ts'
import type { BackendMessage, BackendSession, MemoryBackend, SearchRequest } from '../../src/ports/memory-backend.ts'
import { createFactModel, factsAnswer } from '../helpers/fact-model.ts'
import { openTestDatabase } from '../helpers/test-database.ts'

const random = () => randomBytes(8).toString('hex')
const DAY = Date.UTC(2026, 2, 10, 9)
const WEEK_MS = 7 * 86_400_000

let database: DatabaseConnection
let directory: string
const open: MemoryBackend[] = []

beforeAll(async () => {
  database = await openTestDatabase()
  directory = await mkdtemp(join(tmpdir(), 'embedded-facts-over-time-test-'))
})

afterEach(async () => {
  await Promise.all(open.splice(0).map((backend) => backend.close()))
})

afterAll(async () => {
  await rm(directory, { recursive: true })
  await database.close()
})

function start(waitMs?: number) {
  const model = createFactModel()
  const models = { chat: model, tokensPerDay: 100_000, waitMs }
  const backend = createEmbeddedBackend({ db: database.db, reading: { directory }, models })
  open.push(backend)
  return { model, backend }
}

const newSession = (): BackendSession => ({
  projectId: `p${random()}`,
  senderId: `u${random()}`,
  sessionId: `s${random()}`,
})

function say({ senderId }: BackendSession, timestamp: number, text: string): BackendMessage {
  return { role: 'user', senderId, senderName: 'Ada', timestamp, items: [{ type: 'text', text }] }
}

async function factsIn(backend: MemoryBackend, { projectId, senderId }: BackendSession, more: Partial<SearchRequest>) {
  const { hits } = await backend.search({ projectId, senderId, query: 'Where does Ada live?', topK: 20, ...more })
  return hits.flatMap(({ text, fact }) => (fact ? [{ text, supersededBy: fact.supersededBy }] : []))
}

describe('a fact', () => {
  it('is not replaced by one that is forgotten while the model reads', async () => {
    const { backend, model } = start(20)
    const session = newSession()
    const newer = { ...session, sessionId: `s${random()}` }
    await backend.add(newer, [say(newer, DAY + 1, 'I live in Porto now.')])
    model.script.push(factsAnswer({ text: 'Ada lives in Porto.' }))
    await backend.flush(newer)
    await vi.waitUntil(async () => (await factsIn(backend, newer, {})).length > 0)
    await backend.add(session, [say(session, DAY, 'I live in Lyon.')])
    const answer = Promise.withResolvers<string>()
    model.script.push(() => answer.promise)
    await backend.flush(session)
    await vi.waitUntil(() => model.requests.length === 2)
    await backend.forget(newer)
    answer.resolve(factsAnswer({ text: 'Ada lives in Lyon.', replaces: [1] }))
    await vi.waitUntil(async () => (await factsIn(backend, session, {})).length > 0)
    expect(await factsIn(backend, session, {})).toEqual([{ text: 'Ada lives in Lyon.' }])
  })

  it('that is said again much later is found at that time', async () => {
    const { backend, model } = start()
    const session = newSession()
    const later = DAY + 10 * WEEK_MS
    for (const time of [DAY, later]) {
      await backend.add(session, [say(session, time, 'I live in Porto.')])
      model.script.push(factsAnswer({ text: 'Ada lives in Porto.', sources: [time === DAY ? 1 : 2] }))
      await backend.flush(session)
    }
    const found = [{ text: 'Ada lives in Porto.' }]
    expect(await factsIn(backend, session, {})).toEqual(found)
    expect(await factsIn(backend, session, { from: later - 1_000, to: later + 1_000 })).toEqual(found)
  })
})
