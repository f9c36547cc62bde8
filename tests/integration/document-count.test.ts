import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { countDocuments } from '../../src/adapters/memory-backend/embedded/retrieval/document-count.ts'
import type { DatabaseConnection } from '../../src/db/database.ts'
import { openTestDatabase } from '../helpers/test-database.ts'

let connection: DatabaseConnection

beforeAll(async () => {
  connection = await openTestDatabase()
})
afterAll(() => connection.close())

const add = (senderId: string, from: number, through: number) =>
  connection.db.execute(sql`
    insert into engine_memories (id, project_id, sender_id, session_id, timestamp, passage, subject, body, length, terms)
    select ${senderId} || n, 'p', ${senderId}, 's', n, 0, '', '', 1, ''::tsvector from generate_series(${from}::int, ${through}::int) n`)

const whole = { from: 0, to: Number.MAX_SAFE_INTEGER, sessionIds: undefined }
const count = (senderId: string, range: Partial<Parameters<typeof countDocuments>[1]> = {}) =>
  countDocuments(connection.db, { projectId: 'p', senderId, ...whole, ...range })

test('counts a small memory each time, and never another one', async () => {
  await add('small', 1, 3)
  expect(await count('small')).toBe(3)
  await add('small', 4, 5)
  expect(await count('small')).toBe(5)
  expect(await count('nobody')).toBe(0)
})

test('keeps the number of a large memory as a whole, not of a part of it', async () => {
  await add('large', 1, 1_000)
  expect(await count('large')).toBe(1_000)
  await add('large', 1_001, 1_001)
  expect(await count('large')).toBe(1_000)
  expect(await count('large', { from: 1_001 })).toBe(1)
  expect(await count('large', { sessionIds: ['s'] })).toBe(1_001)
})
