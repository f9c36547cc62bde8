import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { inTransaction, together } from './database.ts'
import { openPglite, type PgliteConnection } from './pglite.ts'
import { sqlState } from './sql-state.ts'

let database: PgliteConnection
beforeAll(async () => {
  database = await openPglite({})
  await database.client.exec('create table notes (id int primary key)')
})
afterAll(() => database.close())

it('fails with what made the first of several statements fail, after all have ended, and keeps nothing', async () => {
  const ended: string[] = []
  const failed = inTransaction(database.db, async (tx) => {
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
  expect((await database.client.query('select id from notes')).rows).toEqual([])
})
