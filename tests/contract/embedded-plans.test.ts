import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ownerOf, rowsOf } from '../../bench/embedded/load.ts'
import { ASKED_AT, QUERY_KINDS, questionOf } from '../../bench/embedded/texts.ts'
import { createEmbeddedBackend } from '../../src/adapters/memory-backend/embedded/index.ts'
import type { DatabaseConnection } from '../../src/db/database.ts'
import { engineMemories } from '../../src/db/schema/index.ts'
import type { MemoryBackend } from '../../src/ports/memory-backend.ts'
import { planOf, type Statement, scansOf, watchStatements } from '../helpers/statement-plans.ts'
import { openTestDatabase } from '../helpers/test-database.ts'

const SPREAD = { memories: 3_000, users: 10 }
const PAGE = 500

let database: DatabaseConnection
let backend: MemoryBackend
let statementsSoFar: () => Statement[]

beforeAll(async () => {
  database = await openTestDatabase()
  const rows = Array.from({ length: SPREAD.memories }, (_, at) => [...rowsOf(at, SPREAD)]).flat()
  for (let at = 0; at < rows.length; at += PAGE) {
    await database.db.insert(engineMemories).values(rows.slice(at, at + PAGE))
  }
  await database.db.execute('analyze engine_memories')
  statementsSoFar = watchStatements(database.db)
  backend = createEmbeddedBackend({ db: database.db })
})

afterAll(async () => {
  await backend.close()
  await database.close()
})

/** The statements of one search, which finds something. */
async function searched(kind: (typeof QUERY_KINDS)[number], options: object = {}): Promise<Statement[]> {
  const question = questionOf(kind, 7, SPREAD.memories)
  const owner = ownerOf(question.session % SPREAD.users)
  statementsSoFar()
  const { hits } = await backend.search({ ...owner, query: question.text, topK: 10, askedAt: ASKED_AT, ...options })
  expect(hits.length, question.text).toBeGreaterThan(0)
  return statementsSoFar()
}

describe('plans of a search', () => {
  it.each(QUERY_KINDS)(
    '%s: no statement reads the whole table, and words are looked up in their index',
    async (kind) => {
      const statements = await searched(kind)
      expect(statements.some(({ text }) => text.includes('@@'))).toBe(true)
      for (const statement of statements) {
        const scans = scansOf((await planOf(database.db, statement, 'generic')).Plan)
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
      ...(await searched('rare words')),
      ...(await searched('rare words', { sessionIds, from: 1, to: ASKED_AT })),
    ]
    for (const statement of statements) {
      const scans = scansOf((await planOf(database.db, statement, 'custom')).Plan)
      expect(
        scans.filter((scan) => scan.startsWith('Seq Scan')),
        statement.text,
      ).toEqual([])
    }
  })

  it('looks up a time alone in the same index', async () => {
    const owner = ownerOf(7)
    statementsSoFar()
    const { hits } = await backend.search({ ...owner, query: 'last month', topK: 10, askedAt: ASKED_AT })
    expect(hits).toHaveLength(10)
    for (const statement of statementsSoFar()) {
      const scans = scansOf((await planOf(database.db, statement, 'generic')).Plan)
      expect(
        scans.filter((scan) => scan.startsWith('Seq Scan')),
        statement.text,
      ).toEqual([])
      if (statement.text.includes('@@')) expect(scans.join()).toContain('engine_memories_terms_idx')
    }
  })
})
