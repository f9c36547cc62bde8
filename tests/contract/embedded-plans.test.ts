import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { ownerOf, rowsOf, type Spread } from '../../bench/embedded/load.ts'
import { ASKED_AT, QUERY_KINDS, questionOf } from '../../bench/embedded/texts.ts'
import { createEmbeddedBackend } from '../../src/adapters/memory-backend/embedded/index.ts'
import type { DatabaseConnection } from '../../src/db/database.ts'
import { engineMemories } from '../../src/db/schema/index.ts'
import type { MemoryBackend } from '../../src/ports/memory-backend.ts'
import { planOf, type Statement, scansOf, watchStatements } from '../helpers/statement-plans.ts'
import { openTestDatabase } from '../helpers/test-database.ts'

const PAGE = 500

interface Place {
  readonly database: DatabaseConnection
  readonly backend: MemoryBackend
  readonly statementsSoFar: () => Statement[]
  readonly spread: Spread
}

async function openPlace(spread: Spread): Promise<Place> {
  const database = await openTestDatabase()
  const rows = Array.from({ length: spread.memories }, (_, at) => [...rowsOf(at, spread)]).flat()
  for (let at = 0; at < rows.length; at += PAGE) {
    await database.db.insert(engineMemories).values(rows.slice(at, at + PAGE))
  }
  const statementsSoFar = watchStatements(database.db)
  return { database, backend: createEmbeddedBackend({ db: database.db }), statementsSoFar, spread }
}

async function closePlace({ backend, database }: Place): Promise<void> {
  await backend.close()
  await database.close()
}

/** The statements of one search, which finds something. */
async function searched(
  { backend, statementsSoFar, spread }: Place,
  kind: (typeof QUERY_KINDS)[number],
  options: object = {},
): Promise<Statement[]> {
  const question = questionOf(kind, 7, spread.memories)
  const owner = ownerOf(question.session % spread.users)
  statementsSoFar()
  const { hits } = await backend.search({ ...owner, query: question.text, topK: 10, askedAt: ASKED_AT, ...options })
  expect(hits.length, question.text).toBeGreaterThan(0)
  return statementsSoFar()
}

it('finds the neighbours of a memory within its session, also where the table has no statistics yet', async () => {
  const place = await openPlace({ memories: 6_000, users: 1 })
  onTestFinished(() => closePlace(place))
  const statements = await searched(place, 'common words')
  const neighbours = statements.filter(({ text }) => text.includes('centre'))
  expect(neighbours).toHaveLength(1)
  for (const statement of neighbours) {
    for (const mode of ['generic', 'custom'] as const) {
      const { Plan } = await planOf(place.database.db, statement, mode)
      expect(scansOf(Plan).filter((scan) => scan.includes('_idx'))).toEqual([
        'Index Scan of engine_memories_partition_idx',
        'Index Scan of engine_memories_partition_idx',
      ])
    }
  }
})

describe('plans of a search, with statistics', () => {
  let place: Place
  beforeAll(async () => {
    place = await openPlace({ memories: 3_000, users: 10 })
    await place.database.db.execute('analyze engine_memories')
  })
  afterAll(() => closePlace(place))

  it.each(QUERY_KINDS)(
    '%s: no statement reads the whole table, and words are looked up in their index',
    async (kind) => {
      const statements = await searched(place, kind)
      expect(statements.some(({ text }) => text.includes('@@'))).toBe(true)
      for (const statement of statements) {
        const scans = scansOf((await planOf(place.database.db, statement, 'generic')).Plan)
        expect(
          scans.filter((scan) => scan.startsWith('Seq Scan')),
          statement.text,
        ).toEqual([])
        if (statement.text.includes('@@')) expect(scans.join()).toContain('engine_memories_terms_idx')
      }
    },
  )

  it('holds for the values of a question with rare words, too, and within sessions and times', async () => {
    const sessionIds = Array.from({ length: 150 }, (_, at) => `s_bench_session_${at}`)
    const statements = [
      ...(await searched(place, 'rare words')),
      ...(await searched(place, 'rare words', { sessionIds, from: 1, to: ASKED_AT })),
    ]
    for (const statement of statements) {
      const scans = scansOf((await planOf(place.database.db, statement, 'custom')).Plan)
      expect(
        scans.filter((scan) => scan.startsWith('Seq Scan')),
        statement.text,
      ).toEqual([])
    }
  })

  it('looks up a time alone in the same index', async () => {
    const owner = ownerOf(7)
    place.statementsSoFar()
    const { hits } = await place.backend.search({ ...owner, query: 'last month', topK: 10, askedAt: ASKED_AT })
    expect(hits).toHaveLength(10)
    for (const statement of place.statementsSoFar()) {
      const scans = scansOf((await planOf(place.database.db, statement, 'generic')).Plan)
      expect(
        scans.filter((scan) => scan.startsWith('Seq Scan')),
        statement.text,
      ).toEqual([])
      if (statement.text.includes('@@')) expect(scans.join()).toContain('engine_memories_terms_idx')
    }
  })
})
