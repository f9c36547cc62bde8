import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createEmbeddedBackend } from '../../src/adapters/memory-backend/embedded/index.ts'
import { holdersOf } from '../../src/adapters/memory-backend/embedded/retrieval/count-holders.ts'
import { scopeTerms } from '../../src/adapters/memory-backend/embedded/text/scope-terms.ts'
import { textVector } from '../../src/adapters/memory-backend/embedded/text/text-vector.ts'
import type { DatabaseConnection } from '../../src/db/database.ts'
import { TERMS_VERSION } from '../../src/db/schema/engine-memories.ts'
import { engineMemories } from '../../src/db/schema/index.ts'
import type { MemoryBackend } from '../../src/ports/memory-backend.ts'
import { documentTerms } from '../../src/text/tokenise.ts'
import { openTestDatabase } from '../helpers/test-database.ts'

const DAY = 86_400_000
const START = Date.UTC(2025, 0, 1)
const owner = { projectId: 'p_scale', senderId: 'u_scale' }
const everything = { ...owner, from: 0, to: Number.MAX_SAFE_INTEGER, sessionIds: undefined }
/** Of these, one in ten stands for others; in truth one in 256 does. */
const MEMORIES = 1_200
const SAMPLE_EVERY = 10

let database: DatabaseConnection
let backend: MemoryBackend

function memoryOf(at: number): typeof engineMemories.$inferInsert {
  const session = { ...owner, sessionId: `s${at % 40}` }
  const id = `${at % SAMPLE_EVERY === 0 ? '00' : 'ff'}${at.toString(16).padStart(30, '0')}`
  const timestamp = START + (at / 4) * DAY
  const body = `harbour${at % 2 === 0 ? ' lantern' : ''}${at % 7 === 0 ? ' market' : ''}${at === 701 ? ' zeppelin' : ''} word${at}`
  const terms = documentTerms(body)
  const scope = scopeTerms(session, { id, timestamp }, timestamp)
  const vector = textVector(scope, { title: [], speaker: [], body: terms })
  return {
    id,
    ...session,
    timestamp,
    passage: 0,
    subject: '',
    body,
    length: terms.length,
    terms: vector,
    termsVersion: TERMS_VERSION,
  }
}

beforeAll(async () => {
  database = await openTestDatabase()
  backend = createEmbeddedBackend({ db: database.db })
  const rows = Array.from({ length: MEMORIES }, (_, at) => memoryOf(at))
  for (let at = 0; at < rows.length; at += 300)
    await database.db.insert(engineMemories).values(rows.slice(at, at + 300))
})

afterAll(async () => {
  await backend.close()
  await database.close()
})

const search = async (query: string, options: object = {}) =>
  (await backend.search({ ...owner, query, topK: 100, ...options })).hits

describe('a memory of very many', () => {
  it('counts common words in the sample, and rare ones one by one', async () => {
    const terms = ['harbour', 'zeppelin', 'nowhere', 'word7']
    expect(await holdersOf(database.db, everything, terms, MEMORIES)).toEqual([1_000, 1, 0, 1])
    const sampled = await holdersOf(database.db, everything, terms, 10_000)
    expect(sampled).toEqual([(MEMORIES / SAMPLE_EVERY) * 256, 1, 0, 1])
  })

  it('finds what holds two common words before what holds one', async () => {
    const hits = await search('the lantern of the market')
    expect(hits.length).toBeGreaterThan(80)
    for (const hit of hits.slice(0, 80)) expect(hit.text).toMatch(/lantern market/)
  })

  it('finds any holder where no memory holds two', async () => {
    expect((await search('harbour nowhere')).length).toBe(100)
  })

  it.each([
    ['a time', { from: START + 50 * DAY, to: START + 60 * DAY }],
    ['one side of a time', { from: START + 290 * DAY }],
    ['times with no end', { to: START + 3 * DAY }],
  ])(
    'within %s, finds exactly what is there',
    async (_, { from = 0, to = Number.MAX_SAFE_INTEGER }: { from?: number; to?: number }) => {
      const expected = Array.from({ length: MEMORIES }, (__, at) => memoryOf(at)).filter(
        ({ timestamp }) => timestamp >= from && timestamp <= to,
      )
      const found = await search('harbour', { from, to })
      expect(found.map(({ text }) => text).toSorted()).toEqual(expected.map(({ body }) => body).toSorted())
    },
  )

  it('within sessions, finds exactly what is there', async () => {
    const found = await search('harbour', { sessionIds: ['s3', 's17', 'nowhere'] })
    expect(found).toHaveLength(60)
    expect(new Set(found.map(({ sessionId }) => sessionId))).toEqual(new Set(['s3', 's17']))
  })
})

it('finds memories whose terms are of an older form within sessions and times', async () => {
  const old = { projectId: 'p_old', senderId: 'u_old', sessionId: 's_old' }
  const other = await openTestDatabase()
  const engine = createEmbeddedBackend({ db: other.db })
  try {
    const [partition = ''] = scopeTerms(old, { id: 'ff', timestamp: START }, START)
    const terms = `'${partition}' 'harbour':1C`
    const row = {
      id: 'ff01',
      ...old,
      timestamp: START,
      passage: 0,
      subject: '',
      body: 'harbour',
      length: 1,
      terms,
      termsVersion: 1,
    }
    await other.db.insert(engineMemories).values(row)
    const asked = { ...old, query: 'harbour', topK: 5, from: START, to: START, sessionIds: [old.sessionId] }
    expect((await engine.search(asked)).hits).toHaveLength(1)
  } finally {
    await engine.close()
    await other.close()
  }
})
