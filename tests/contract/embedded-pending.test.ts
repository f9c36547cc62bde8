import { and, eq, sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { engineMemories, engineMessages, engineSessions } from '../../src/db/schema/index.ts'
import type { BackendMessage, BackendSession } from '../../src/ports/memory-backend.ts'
import { engineOfFile, newEngineSession } from '../helpers/embedded-engine.ts'

const engine = engineOfFile()

function say(session: BackendSession, timestamp: number, text: string): BackendMessage {
  const items = [{ type: 'text', text }] as const
  return { role: 'user', senderId: session.senderId, senderName: 'Ada', timestamp, items }
}

async function find(session: BackendSession, query: string) {
  const { projectId, senderId } = session
  return (await engine.backend.search({ projectId, senderId, query, topK: 20 })).hits
}

function memoriesOf(session: BackendSession) {
  return engine.database.db
    .select()
    .from(engineMemories)
    .where(and(eq(engineMemories.projectId, session.projectId), eq(engineMemories.senderId, session.senderId)))
    .orderBy(engineMemories.timestamp, engineMemories.passage)
}

/** As an older version left it: the message's content waits for a flush. */
async function bufferAsBefore(session: BackendSession, timestamp: number, text: string): Promise<void> {
  await engine.database.db
    .insert(engineMessages)
    .values({ ...session, timestamp, content: { speaker: 'Ada', parts: [{ text }] } })
}

describe('what an add writes', () => {
  it('is one memory of each message, with who said it and in which role', async () => {
    const session = newEngineSession()
    const answer: BackendMessage = {
      ...say(session, 20, 'Then take the tram.'),
      role: 'assistant',
      senderId: 'another',
      senderName: 'Guide',
    }
    await engine.backend.add(session, [say(session, 10, 'I have no bicycle.'), answer])
    expect(await memoriesOf(session)).toMatchObject([
      { timestamp: 10, kind: 'turn', speaker: 'Ada', role: 'user', body: 'I have no bicycle.', place: null },
      { timestamp: 20, kind: 'turn', speaker: 'Guide', role: 'assistant', body: 'Then take the tram.' },
    ])
    const [buffered] = await engine.database.db
      .select({ content: engineMessages.content })
      .from(engineMessages)
      .where(eq(engineMessages.projectId, session.projectId))
    expect(buffered).toEqual({ content: null })
  })

  it('is passages of a long message, all or none', async () => {
    const session = newEngineSession()
    const long = Array.from({ length: 400 }, (_, index) => `Sentence number ${index} tells of ships.`).join(' ')
    await engine.backend.add(session, [say(session, 10, 'Short.'), say(session, 20, long)])
    const memories = await memoriesOf(session)
    expect(memories.length).toBeGreaterThan(10)
    expect(memories.map(({ kind }) => kind)).toEqual(['turn', ...memories.slice(1).map(() => 'passage')])
    expect(memories.every(({ timestamp }, index) => timestamp === (index === 0 ? 10 : 20))).toBe(true)

    const other = newEngineSession()
    const broken = { ...say(other, 30, 'x'), timestamp: 0.5 }
    await expect(engine.backend.add(other, [say(other, 10, long), broken])).rejects.toMatchObject({
      name: 'BackendError',
    })
    expect(await memoriesOf(other)).toEqual([])
    expect(await engine.backend.findMissing(other, [10])).toEqual([10])
  })

  it('is made once of a message that comes twice, at once or one after the other', async () => {
    const session = newEngineSession()
    const long = Array.from({ length: 400 }, (_, index) => `Row ${index} of vines.`).join(' ')
    const messages = [say(session, 10, 'A vineyard.'), say(session, 20, long)]
    await Promise.all([engine.backend.add(session, messages), engine.backend.add(session, messages)])
    const once = await memoriesOf(session)
    await engine.backend.add(session, [say(session, 10, 'Something else under its name.'), ...messages.slice(1)])
    expect(await memoriesOf(session)).toEqual(once)
    expect(new Set(once.map(({ timestamp, passage }) => `${timestamp} ${passage}`)).size).toBe(once.length)
  })
})

describe('a flush', () => {
  it('covers its own session alone, and later messages are pending again', async () => {
    const session = newEngineSession()
    const other = { ...session, sessionId: newEngineSession().sessionId }
    await engine.backend.add(session, [say(session, 10, 'A teapot in Leeds.')])
    await engine.backend.add(other, [say(other, 10, 'A teapot in York.')])
    expect((await engine.backend.flush(session)).status).toBe('extracted')
    await engine.backend.add(session, [say(session, 30, 'A teapot in Hull.')])
    const pending = Object.fromEntries((await find(session, 'teapot')).map((hit) => [hit.text, hit.pending === true]))
    expect(pending).toEqual({ 'A teapot in Leeds.': false, 'A teapot in York.': true, 'A teapot in Hull.': true })
    expect((await engine.backend.flush(session)).status).toBe('extracted')
    expect((await find(session, 'Hull')).map((hit) => hit.pending)).toContain(undefined)
  })

  it('never goes back', async () => {
    const session = newEngineSession()
    await engine.backend.add(session, [say(session, 50, 'The late one.')])
    await engine.backend.flush(session)
    await engine.backend.add(session, [say(session, 20, 'The early one.')])
    expect((await engine.backend.flush(session)).status).toBe('no_extraction')
    const [row] = await engine.database.db
      .select({ through: engineSessions.flushedThrough })
      .from(engineSessions)
      .where(eq(engineSessions.sessionId, session.sessionId))
    expect(row).toEqual({ through: 50 })
  })
})

describe('buffers of an older version', () => {
  it('become memories with the next flush', async () => {
    const session = newEngineSession()
    await bufferAsBefore(session, 10, 'An orchard of pears.')
    expect(await find(session, 'pears')).toEqual([])
    expect((await engine.backend.flush(session)).status).toBe('extracted')
    expect(await find(session, 'pears')).toMatchObject([
      { timestamp: 10, speaker: 'Ada', text: 'An orchard of pears.' },
    ])
    expect((await engine.backend.flush(session)).status).toBe('no_extraction')
  })

  it('are found in the background too, still pending, also of many sessions', async () => {
    const first = newEngineSession()
    const sessions = Array.from({ length: 45 }, () => ({ ...first, sessionId: newEngineSession().sessionId }))
    for (const session of sessions) await bufferAsBefore(session, 10, 'An orchard of plums.')
    let calls = 0
    for (let remaining = 1; remaining > 0; calls++) remaining = (await engine.backend.tend()).remaining
    expect(calls).toBeLessThan(10)
    expect(await memoriesOf(first)).toHaveLength(45)
    const hits = await find(first, 'plums')
    // All of them say the same.
    expect(hits.flatMap(({ sources = [] }) => sources)).toHaveLength(45)
    expect(hits.every(({ pending }) => pending)).toBe(true)
    const [{ count } = { count: -1 }] = await engine.database.db
      .select({ count: sql<number>`count(*)::int` })
      .from(engineMessages)
      .where(sql`content is not null`)
    expect(count).toBe(0)
  })
})
