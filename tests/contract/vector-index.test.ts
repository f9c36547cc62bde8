import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { NearestIndex } from '../../src/adapters/memory-backend/embedded/embeddings/nearest-index.ts'
import {
  nearestByIndex,
  nearestByIndexStatement,
  nearestOfAll,
} from '../../src/adapters/memory-backend/embedded/embeddings/nearest-queries.ts'
import { rowsOf, vectorText } from '../../src/adapters/memory-backend/embedded/embeddings/rows.ts'
import {
  openVectorExtension,
  type VectorExtension,
  VectorSpace,
} from '../../src/adapters/memory-backend/embedded/embeddings/vector-extension.ts'
import type { DatabaseConnection } from '../../src/db/database.ts'
import { migratePglite } from '../../src/db/migrate.ts'
import { openPglite } from '../../src/db/pglite.ts'
import { openPgvectorDatabase, pgvectorUrl } from '../helpers/pgvector-database.ts'

const DIMENSIONS = 8
const MANY = 3_000
const FEW = 20
/** Quotes and backslashes must not leave the constant that names it. */
const MODEL = `it's a "model" \\' or true --`

/** Always the same. */
function* randomVectors(dimensions: number): Generator<Float32Array> {
  let seed = 7
  for (;;) {
    const vector = Float32Array.from({ length: dimensions }, () => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fff_ffff
      return seed / 0x7fff_ffff - 0.5
    })
    const length = Math.hypot(...vector)
    yield vector.map((number) => number / length)
  }
}

const cases = [
  {
    name: 'PGlite',
    isMissing: false,
    open: async (): Promise<DatabaseConnection> => {
      const database = await openPglite({})
      await migratePglite(database.client)
      return database
    },
  },
  { name: 'PostgreSQL', isMissing: !pgvectorUrl, open: openPgvectorDatabase },
]

for (const { name, isMissing, open } of cases) {
  describe.skipIf(isMissing)(`the index of vectors, on ${name}`, () => {
    let database: DatabaseConnection
    let extension: VectorExtension
    let space: VectorSpace
    const vectors = randomVectors(DIMENSIONS)
    const next = () => vectors.next().value as Float32Array

    const rangeOf = (projectId: string) => ({
      projectId,
      senderId: 'user',
      from: 0,
      to: Number.MAX_SAFE_INTEGER,
      sessionIds: undefined,
    })

    async function fill(projectId: string, count: number): Promise<void> {
      const rows = Array.from({ length: count }, (_, index) => ({
        id: `${projectId}-${index}`,
        session: `s${index % 3}`,
        vector: vectorText(next()),
      }))
      await database.db.execute(sql`with given as (
          select * from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as given(id text, session text, vector text)),
        made as (insert into engine_memories (id, project_id, sender_id, session_id, "timestamp", passage, subject, body, length, terms, content_hash)
          select id, ${projectId}, 'user', session, 1, 0, '', '', 1, '', id from given)
        insert into engine_embeddings (project_id, sender_id, model, content_hash, embedding)
          select ${projectId}, 'user', ${MODEL}, id, vector::real[] from given`)
    }

    beforeAll(async () => {
      database = await open()
      const found = await openVectorExtension(database.db)
      if (!found) throw new Error('no pgvector')
      extension = found
      space = new VectorSpace(extension, MODEL, DIMENSIONS)
      await fill('many', MANY)
      await fill('few', FEW)
    })
    afterAll(() => database.close())

    it('is built once, by whoever comes first, and anew where a build broke off', async () => {
      const log = { warn: (details: object) => expect.fail(JSON.stringify(details)) }
      const indexes = [1, 2].map(() => new NearestIndex(database.db, database.withOwnSession, log))
      for (const index of indexes) await index.ensure(space)
      for (const index of indexes) await index.settled()
      expect(indexes.some((index) => index.isWholeFor(space))).toBe(true)
      await database.withOwnSession((run) =>
        run(`update pg_index set indisvalid = false where indexrelid = '${space.index.name}'::regclass`),
      )
      const later = new NearestIndex(database.db, database.withOwnSession, log)
      await later.ensure(space)
      expect(later.isWholeFor(space)).toBe(false)
      await later.settled()
      expect(later.isWholeFor(space)).toBe(true)
      const [row] = await rowsOf<{ valid: boolean }>(
        database.db,
        sql`select indisvalid as valid from pg_index where indexrelid = ${space.index.name}::regclass`,
      )
      expect(row?.valid).toBe(true)
    })

    it('is what a search of a large memory goes through', async () => {
      await database.withOwnSession((run) => run('analyze engine_embeddings'))
      const lines = await rowsOf<Record<string, string>>(
        database.db,
        sql`explain ${nearestByIndexStatement(rangeOf('many'), space, next(), 10)}`,
      )
      expect(lines.map((line) => line['QUERY PLAN']).join('\n')).toContain(space.index.name)
    })

    it('finds what comparing all would, nearly always', async () => {
      let same = 0
      for (let turn = 0; turn < 10; turn++) {
        const vector = next()
        const all = await nearestOfAll(database.db, rangeOf('many'), space, vector, 20)
        const indexed = new Set(
          (await nearestByIndex(database.db, rangeOf('many'), space, vector, 20)).map(({ id }) => id),
        )
        same += all.filter(({ id }) => indexed.has(id)).length
      }
      expect(same).toBeGreaterThan(180)
    })

    it("finds all of somebody's few among many of others, and no one else's", async () => {
      const found = await nearestByIndex(database.db, rangeOf('few'), space, next(), 100)
      expect(found).toHaveLength(FEW)
      expect(found.every(({ id }) => id.startsWith('few-'))).toBe(true)
      const exact = await nearestOfAll(database.db, rangeOf('few'), space, next(), 100)
      expect(exact.every(({ id }) => id.startsWith('few-'))).toBe(true)
      const session = { ...rangeOf('many'), sessionIds: ['s1'] }
      const ofSession = await nearestByIndex(database.db, session, space, next(), 10)
      expect(ofSession).toHaveLength(10)
      expect(ofSession.every(({ id }) => Number(id.split('-')[1]) % 3 === 1)).toBe(true)
    })

    it.each([2_001, 4_001])('serves vectors of %i numbers', async (dimensions) => {
      const large = new VectorSpace(extension, 'large', dimensions)
      const [vector] = randomVectors(dimensions).take(1)
      await database.db.execute(sql`insert into engine_memories
          (id, project_id, sender_id, session_id, "timestamp", passage, subject, body, length, terms, content_hash)
        values (${`large-${dimensions}`}, ${`large${dimensions}`}, 'user', 's', 1, 0, '', '', 1, '', 'hash')`)
      await database.db.execute(sql`insert into engine_embeddings (project_id, sender_id, model, content_hash, embedding)
        values (${`large${dimensions}`}, 'user', 'large', 'hash', ${vectorText(vector!)}::real[])`)
      const log = { warn: (details: object) => expect.fail(JSON.stringify(details)) }
      const index = new NearestIndex(database.db, database.withOwnSession, log)
      await index.ensure(large)
      await index.settled()
      expect(index.isWholeFor(large)).toBe(dimensions <= 4_000)
      const [hit] = await nearestOfAll(database.db, rangeOf(`large${dimensions}`), large, vector!, 5)
      expect(hit?.similarity).toBeCloseTo(1, 2)
    })
  })
}
