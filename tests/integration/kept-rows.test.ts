import { eq, sql } from 'drizzle-orm'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { DatabaseConnection } from '../../src/db/database.ts'
import { keptRow } from '../../src/db/kept-rows.ts'
import { accounts } from '../../src/db/schema/accounts.ts'
import { openTestDatabase, testDatabaseUrl } from '../helpers/test-database.ts'

let connection: DatabaseConnection
let queries = 0

beforeAll(async () => {
  connection = await openTestDatabase()
})
afterAll(() => connection.close())
afterEach(() => vi.useRealTimers())
beforeEach(async () => {
  await connection.db.delete(accounts).where(eq(accounts.id, 'acc'))
  await connection.db.insert(accounts).values({ id: 'acc', name: 'old' })
  queries = 0
})

const query = async () => {
  queries++
  const [row] = await connection.db.select().from(accounts).where(eq(accounts.id, 'acc'))
  return row
}
const read = () => keptRow(connection.db, 'acc', query)
const rename = sql`update accounts set name = 'new' where id = 'acc'`

test('asks once for a row that nobody writes to, on the embedded database alone', async () => {
  await read()
  await connection.db.execute(sql`select name from accounts for update`)
  expect(await read()).toMatchObject({ name: 'old' })
  expect(queries).toBe(testDatabaseUrl ? 2 : 1)
})

test.each([
  ['by a statement', () => connection.db.execute(rename)],
  ['by a query builder', () => connection.db.update(accounts).set({ name: 'new' }).where(eq(accounts.id, 'acc'))],
  ['in a transaction', () => connection.db.transaction((tx) => tx.execute(rename))],
])('has what was written %s', async (_, write) => {
  await read()
  await write()
  expect(await read()).toMatchObject({ name: 'new' })
})

test('does not find what was deleted, and finds what is made', async () => {
  await read()
  await connection.db.delete(accounts).where(eq(accounts.id, 'acc'))
  expect(await read()).toBeUndefined()
  await connection.db.insert(accounts).values({ id: 'acc', name: 'again' })
  expect(await read()).toMatchObject({ name: 'again' })
})

test('does not keep what was read before a write that is through when it comes in', async () => {
  const late = await keptRow(connection.db, 'acc', async () => {
    const before = await query()
    await connection.db.execute(rename)
    return before
  })
  expect(late).toMatchObject({ name: 'old' })
  expect(await read()).toMatchObject({ name: 'new' })
})

test('keeps nothing that was read while a transaction was about to write, or had to be undone', async () => {
  const undone = connection.db.transaction(async (tx) => {
    await tx.execute(rename)
    throw new Error('undone')
  })
  const meanwhile = read()
  await expect(undone).rejects.toThrow('undone')
  expect(await meanwhile).toMatchObject({ name: testDatabaseUrl ? expect.any(String) : 'old' })
  expect(await read()).toMatchObject({ name: 'old' })
})

test('keeps a row no longer than it says', async () => {
  const keptUntil = new Date(Date.now() + 1_000)
  const passing = () => keptRow(connection.db, 'passing', async () => ({ keptUntil, number: ++queries }))
  await passing()
  vi.useFakeTimers({ toFake: ['Date'], now: keptUntil })
  expect(await passing()).toMatchObject({ number: 2 })
})
