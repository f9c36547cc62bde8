import { PGlite } from '@electric-sql/pglite'
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/pglite'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Database, inTransaction, together } from './database.ts'
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
