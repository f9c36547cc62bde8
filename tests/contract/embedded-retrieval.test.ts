import { randomBytes } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createEmbeddedBackend } from '../../src/adapters/memory-backend/embedded/index.ts'
import type { DatabaseConnection } from '../../src/db/database.ts'
import { engineMemories } from '../../src/db/schema/index.ts'
import type { BackendMessage, BackendSession, MemoryBackend, SearchRequest } from '../../src/ports/memory-backend.ts'
import { openTestDatabase } from '../helpers/test-database.ts'

const random = () => randomBytes(8).toString('hex')
const DAY = 86_400_000

let database: DatabaseConnection
let backend: MemoryBackend

beforeAll(async () => {
  database = await openTestDatabase()
  backend = createEmbeddedBackend({ db: database.db })
})

afterAll(async () => {
  await backend.close()
  await database.close()
})

function newSession(): BackendSession {
  return { projectId: `p${random()}`, senderId: `u${random()}`, sessionId: `s${random()}` }
}

type Line = readonly [speaker: 'Ada' | 'Bob', text: string]

async function converse(session: BackendSession, lines: readonly Line[], start = 1): Promise<void> {
  const messages = lines.map(
    ([speaker, text], index): BackendMessage => ({
      role: speaker === 'Ada' ? 'user' : 'assistant',
      senderId: speaker === 'Ada' ? session.senderId : 'bob',
      senderName: speaker,
      timestamp: start + index,
      items: [{ type: 'text', text }],
    }),
  )
  await backend.add(session, messages)
  await backend.flush(session)
}

async function find({ projectId, senderId }: BackendSession, query: string, options: Partial<SearchRequest> = {}) {
  return (await backend.search({ projectId, senderId, query, topK: 10, ...options })).hits
}

const texts = async (...given: Parameters<typeof find>) => (await find(...given)).map(({ text }) => text)

describe('what stands around a message', () => {
  it('finds the answer to a question, whatever its words', async () => {
    const session = newSession()
    await converse(session, [
      ['Bob', 'Hello Ada, how is life?'],
      ['Bob', 'By the way, where did you put the copper kettle?'],
      ['Ada', 'Under the stairs, behind the old boots.'],
      ['Bob', 'Fine.'],
    ])
    expect((await texts(session, 'copper kettle')).toSorted()).toEqual([
      'By the way, where did you put the copper kettle?',
      'Under the stairs, behind the old boots.',
    ])
  })

  it('stays within the session and the times that are searched', async () => {
    const session = newSession()
    const other = { ...session, sessionId: `s${random()}` }
    await converse(session, [['Bob', 'Where is the copper kettle?']], 100)
    await converse(other, [['Ada', 'I sold it.']], 101)
    expect(await texts(session, 'kettle')).toEqual(['Where is the copper kettle?'])
    await converse(session, [['Ada', 'In the cellar.']], 200)
    expect(await texts(session, 'kettle')).toHaveLength(2)
    expect(await texts(session, 'kettle', { to: 150 })).toEqual(['Where is the copper kettle?'])
  })

  it('prefers what is told where the rest of the query is spoken of', async () => {
    const session = newSession()
    const other = { ...session, sessionId: `s${random()}` }
    await converse(session, [
      ['Ada', 'Our trip to the lighthouse was wet.'],
      ['Ada', 'We ate a whole pie there.'],
    ])
    await converse(
      other,
      [
        ['Ada', 'The dentist was kind.'],
        ['Ada', 'We ate a whole cake there.'],
      ],
      100,
    )
    const found = await texts(session, 'what whole thing we ate on the lighthouse trip')
    expect(found.indexOf('We ate a whole pie there.')).toBeLessThan(found.indexOf('We ate a whole cake there.'))
    expect(found).toContain('We ate a whole cake there.')
  })
})

describe('who and when', () => {
  it('prefers the speaker who is named, and the one who asks', async () => {
    const session = newSession()
    await converse(session, [
      ['Ada', 'My kite is red.'],
      ['Bob', 'My kite is blue.'],
      ['Ada', 'Bob, look!'],
    ])
    expect((await texts(session, "What colour is Ada's kite?"))[0]).toContain('red')
    expect((await texts(session, "What colour is Bob's kite?"))[0]).toContain('blue')
    expect((await texts(session, 'What colour is my kite?'))[0]).toContain('red')
    expect(await texts(session, 'Bob')).toEqual(expect.arrayContaining(['My kite is blue.', 'Bob, look!']))
  })

  it.each(['What did I cook last week?', '上周做了什么菜 cook'])(
    'prefers the time that is meant: %s',
    async (query) => {
      const session = newSession()
      const askedAt = Date.UTC(2026, 5, 17)
      for (const [index, daysAgo] of [40, 7, 1].entries()) {
        const each = { ...session, sessionId: `s${random()}` }
        await converse(each, [['Ada', `I cook dish number ${index}.`]], askedAt - daysAgo * DAY)
      }
      expect((await texts(session, query, { askedAt }))[0]).toBe('I cook dish number 1.')
      expect(await texts(session, query, { askedAt })).toHaveLength(3)
    },
  )
})

describe('a question for a time alone', () => {
  const askedAt = Date.UTC(2026, 10, 25)
  const lastWeek = Date.UTC(2026, 10, 17)
  const inMay = Date.UTC(2023, 4, 8)

  async function remembered(): Promise<BackendSession> {
    const session = newSession()
    await converse(session, [['Ada', 'The roof is done.']], inMay)
    await converse({ ...session, sessionId: `s${random()}` }, [['Bob', 'It happened again.']], inMay + 200 * DAY)
    await converse(
      session,
      [
        ['Ada', 'We planted a pear tree.'],
        ['Bob', 'And the gate squeaks.'],
      ],
      lastWeek,
    )
    await converse(session, [['Ada', 'Frost, and the pipes are fine.']], lastWeek + 2 * DAY)
    await converse({ ...session, sessionId: `s${random()}` }, [['Ada', 'Today is a Wednesday.']], askedAt - 1_000)
    return session
  }

  it('finds what was said then, the newest first, and nothing else', async () => {
    const session = await remembered()
    const expected = ['Frost, and the pipes are fine.', 'And the gate squeaks.', 'We planted a pear tree.']
    for (const query of ['What happened last week?', 'last week', '上周', '上周我们聊了些什么？'])
      expect(await texts(session, query, { askedAt }), query).toEqual(expected)
    expect(await texts(session, 'What did I say on 8 May 2023?', { askedAt })).toEqual(['The roof is done.'])
    expect(await texts(session, '2023年5月发生了什么', { askedAt })).toEqual(['The roof is done.'])
  })

  it('looks through years, from their end', async () => {
    const session = await remembered()
    expect(await texts(session, 'What happened in 2023?', { askedAt })).toEqual([
      'It happened again.',
      'The roof is done.',
    ])
  })

  it('stays within the sessions and the times that are searched', async () => {
    const session = await remembered()
    const query = 'What happened last week?'
    expect(await texts(session, query, { askedAt, from: lastWeek + DAY })).toEqual(['Frost, and the pipes are fine.'])
    expect(await texts(session, query, { askedAt, to: lastWeek - DAY })).not.toContain('We planted a pear tree.')
    expect(await texts(session, query, { askedAt, sessionIds: [session.sessionId], topK: 2 })).toHaveLength(2)
    expect(await texts(session, query, { askedAt, sessionIds: [`s${random()}`] })).toEqual([])
    expect(await texts({ ...session, senderId: 'nobody' }, query, { askedAt })).toEqual([])
  })

  it('explains its order', async () => {
    const session = await remembered()
    const hits = await find(session, 'last week', { askedAt, explain: true })
    expect(hits.map(({ score, explanation }) => [score, explanation])).toEqual([
      [0.5, { time_rank: 1 }],
      [(0.5 * 11) / 12, { time_rank: 2 }],
      [(0.5 * 11) / 13, { time_rank: 3 }],
    ])
  })

  it('goes by its other words where nothing was said then', async () => {
    const session = await remembered()
    expect(await texts(session, 'What happened in 2019?', { askedAt })).toEqual(['It happened again.'])
  })

  it('puts what names the date beside what was said then', async () => {
    const session = await remembered()
    await converse({ ...session, sessionId: `s${random()}` }, [['Ada', 'On 8 May 2023 we paid the roofer.']], lastWeek)
    expect(await texts(session, 'What happened on 8 May 2023?', { askedAt })).toEqual([
      'The roof is done.',
      'On 8 May 2023 we paid the roofer.',
    ])
  })

  it('takes of a long message its beginning', async () => {
    const session = newSession()
    const long = Array.from({ length: 80 }, (_, index) => `Line ${index} of a long report about ${random()}.`).join(
      '\n',
    )
    await converse(
      session,
      [
        ['Ada', long],
        ['Ada', 'That was it.'],
      ],
      lastWeek,
    )
    const found = await texts(session, 'last week', { askedAt })
    expect(found).toHaveLength(2)
    expect(found[1]).toContain('Line 0 ')
  })
})

it('makes one hit of what was said twice, with the sources of both', async () => {
  const session = newSession()
  const other = { ...session, sessionId: `s${random()}` }
  await converse(session, [['Ada', 'The spare key is under the pot.']], 100)
  await converse(other, [['Ada', 'the spare key is under the pot']], 200)
  await converse(other, [['Ada', 'The spare key is not under the pot.']], 300)
  const hits = await find(session, 'spare key under the pot', { topK: 2 })
  expect(hits.map(({ timestamp }) => timestamp).toSorted((a, b) => a - b)).toEqual([200, 300])
  expect(hits.find(({ timestamp }) => timestamp === 200)?.sources).toEqual([
    { sessionId: other.sessionId, timestamp: 200 },
    { sessionId: session.sessionId, timestamp: 100 },
  ])
})

it('explains a score only where that is asked for, and completely', async () => {
  const session = newSession()
  await converse(session, [
    ['Bob', 'When did the owl come?'],
    ['Ada', 'The owl came yesterday, Bob.'],
    ['Ada', 'An owl!'],
  ])
  expect((await find(session, 'owl'))[0]).not.toHaveProperty('explanation')
  const hits = await find(session, 'When did the owl come to Ada last week?', { explain: true })
  expect(hits).toHaveLength(3)
  for (const { score, explanation } of hits) {
    const { words = 0, context = 0, pairs = 0, ...factors } = explanation ?? {}
    const product = Object.values(factors).reduce((all, factor) => all * factor, 1)
    expect((words + context + pairs) * product).toBeCloseTo(score, 6)
    expect(Object.keys(factors)).toEqual(expect.arrayContaining(['speaker', 'time', 'period']))
  }
})

describe('terms of an older version', () => {
  it('are made anew in the background, with what only they know; newer ones are left alone', async () => {
    const session = newSession()
    await converse(
      session,
      [
        ['Ada', 'The owl came yesterday. Is it back?'],
        ['Ada', 'A heron stood there.'],
      ],
      1,
    )
    const mine = sql`project_id = ${session.projectId}`
    const old = `'=old' 'report':1A 'ada':2B 'o''neil':3B 'owl':4C`
    await database.db.execute(
      sql`update engine_memories set terms = ${old}::tsvector, terms_version = 1, speaker = '' where ${mine} and "timestamp" = 1`,
    )
    await database.db.execute(
      sql`update engine_memories set terms = 'kept'::tsvector where ${mine} and "timestamp" = 2`,
    )
    await Promise.all([backend.tend(), backend.tend()])
    expect((await backend.tend()).remaining).toBe(0)
    const rows = await database.db
      .select({ version: engineMemories.termsVersion, terms: sql<string>`terms::text` })
      .from(engineMemories)
      .where(mine)
      .orderBy(engineMemories.timestamp)
    expect(rows.map(({ version }) => version)).toEqual([2, 2])
    for (const term of [`'report':1A`, "'@ada'", "'@o''neil'", "'owl'", "'?':", "'#time'"]) {
      expect(rows[0]?.terms).toContain(term)
    }
    expect(rows[0]?.terms).not.toContain('=old')
    expect(rows[1]?.terms).toBe("'kept'")
    expect((await texts(session, 'report of the owl'))[0]).toContain('owl')
  })
})
