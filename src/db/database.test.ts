import { PGlite } from '@electric-sql/pglite'
import { sql } from 'drizzle-orm'
import { bigint, integer, jsonb, pgTable, text, timestamp } from 'drizzle-orm/pg-core'
import { drizzle } from 'drizzle-orm/pglite'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Database, inTransaction, preparedOn, together } from './database.ts'
import { parsers, prepareStatements } from './pglite-statements.ts'
import * as schema from './schema/index.ts'
import { sqlState } from './sql-state.ts'

let client: PGlite
let db: Database
beforeAll(async () => {
  client = await PGlite.create({ parsers })
  prepareStatements(client)
  db = drizzle(client, { schema })
  await client.exec('create table notes (id int primary key)')
})
afterAll(() => client.close())

it('fails with what made the first of several statements fail, after all have ended, and keeps nothing', async () => {
  const ended: string[] = []
  const failed = inTransaction(db, async (tx) => {
    const insert = async (id: number) => {
      try {
        await tx.execute(sql`insert into notes (id) values (${id})`)
      } finally {
        ended.push(String(id))
      }
    }
    await insert(1)
    await together(insert(2), insert(1), insert(3))
  })
  expect(sqlState(await failed.catch((error: unknown) => error))).toBe('23505')
  expect(ended).toEqual(['1', '2', '1', '3'])
  expect((await client.query('select id from notes')).rows).toEqual([])
})

const things = pgTable('things', {
  id: integer().primaryKey(),
  name: text(),
  size: bigint({ mode: 'number' }),
  madeAt: timestamp('made_at', { withTimezone: true }),
  more: jsonb(),
})

it('reads the rows of a prepared statement as those of any other, in a transaction too', async () => {
  await client.exec(`create table things (id int primary key, name text, size bigint, made_at timestamptz, more jsonb);
    insert into things values (1, 'one', 5000000000, '2026-11-23 04:05:06.789Z', '{"a":[1]}'), (2, null, null, null, null)`)
  const columns = {
    id: things.id,
    name: things.name,
    size: things.size,
    madeAt: things.madeAt,
    more: things.more,
    twice: sql<number>`${things.size} * 2`.mapWith(Number),
    named: sql<string>`coalesce(${things.name}, 'nobody')`.as('named'),
  }
  const query = (on: Database) => on.select(columns).from(things).orderBy(things.id)
  const prepared = preparedOn((on) => query(on).prepare('things'))
  const rows = await query(db)
  expect(rows[0]).toMatchObject({ size: 5e9, madeAt: new Date('2026-11-23T04:05:06.789Z'), twice: 1e10 })
  expect(await prepared(db).execute()).toEqual(rows)
  expect(await inTransaction(db, (tx) => prepared(tx).execute())).toEqual(rows)
})

it('leaves rows with objects in them as they are', async () => {
  const query = (on: Database) =>
    on
      .select({ thing: things, other: { id: sql<number>`7` } })
      .from(things)
      .orderBy(things.id)
  const prepared = preparedOn((on) => query(on).prepare('nested'))
  expect(await prepared(db).execute()).toEqual(await query(db))
})
