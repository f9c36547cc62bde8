import { PGlite } from '@electric-sql/pglite'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { parsers, prepareStatements } from './pglite-statements.ts'

let client: PGlite
beforeAll(async () => {
  client = await PGlite.create({ parsers })
  prepareStatements(client)
})
afterAll(() => client.close())
beforeEach(() =>
  client.exec('drop table if exists notes; create table notes (id int primary key, text text, at timestamptz)'),
)

const prepared = async () =>
  (await client.query<{ statement: string; name: string }>('select name, statement from pg_prepared_statements')).rows
const drizzles = { rowMode: 'array', parsers: {} } as const

describe('statements on PGlite', () => {
  it('are prepared once, whatever their values', async () => {
    for (const id of [1, 2, 3]) await client.query('insert into notes (id, text) values ($1, $2)', [id, `note ${id}`])
    const { rows } = await client.query('select text from notes where id = $1', [2])
    expect(rows).toEqual([{ text: 'note 2' }])
    expect((await prepared()).filter(({ statement }) => statement.startsWith('insert into notes'))).toHaveLength(1)
  })

  it('answer as PGlite does', async () => {
    const plain = await PGlite.create()
    const text = `select $1::int as one, $2::jsonb as two, $3::text[] as three, null as four, $4::bigint as five, true as six, 'x' as one`
    const values = [1, { a: ['b'] }, ['c', 'd "e"'], 2 ** 40]
    for (const rowMode of ['array', 'object'] as const) {
      expect(await client.query(text, values, { rowMode })).toEqual(await plain.query(text, values, { rowMode }))
    }
    const counted = 'insert into notes select generate_series(1, 3)'
    await plain.exec('create table notes (id int)')
    expect(await client.query('insert into notes (id) select generate_series(1, 3)')).toEqual(
      await plain.query(counted),
    )
    await plain.close()
  })

  it('read times as text for drizzle-orm, and as dates for all others', async () => {
    const text = `select '2026-11-22 10:00:00+00'::timestamptz as at`
    expect((await client.query(text, [], drizzles)).rows).toEqual([['2026-11-22 10:00:00+00']])
    expect((await client.query(text)).rows).toEqual([{ at: new Date('2026-11-22T10:00:00Z') }])
    expect(await client.exec(text)).toMatchObject([{ rows: [{ at: new Date('2026-11-22T10:00:00Z') }] }])
  })

  it('fail with the code of the database, and with what was asked; and can be asked again', async () => {
    const insert = (id: unknown) => client.query('insert into notes (id, text) values ($1, $2)', [id, 'secret'])
    await insert(1)
    await expect(insert(1)).rejects.toMatchObject({
      code: '23505',
      constraint: 'notes_pkey',
      query: 'insert into notes (id, text) values ($1, $2)',
      params: [1, 'secret'],
    })
    await expect(insert('no number')).rejects.toMatchObject({ code: '22P02' })
    await expect(client.query('select nothing from nowhere')).rejects.toMatchObject({ code: '42P01' })
    await insert(2)
    expect((await client.query('select id from notes')).rows).toHaveLength(2)
  })

  it('see a table that was changed meanwhile as it is then', async () => {
    await client.query('insert into notes (id) values (1)')
    expect((await client.query('select * from notes')).fields).toHaveLength(3)
    await client.query('alter table notes add column more int default 5')
    expect((await client.query('select * from notes')).rows).toMatchObject([{ id: 1, more: 5 }])
    await client.transaction(async (tx) => {
      await tx.exec('alter table notes drop column more')
      expect((await tx.query('select * from notes')).fields).toHaveLength(3)
    })
  })

  it('belong to their transaction', async () => {
    const insert = 'insert into notes (id) values ($1)'
    const failed = client.transaction(async (tx) => {
      await tx.query(insert, [1])
      await tx.query(insert, [1])
    })
    await expect(failed).rejects.toMatchObject({ code: '23505' })
    let left: { query: PGlite['query'] } | undefined
    await client.transaction(async (tx) => {
      await tx.query(insert, [2])
      left = tx
    })
    await expect(left?.query(insert, [3])).rejects.toThrow('closed')
    expect((await client.query('select id from notes')).rows).toEqual([{ id: 2 }])
  })

  it('wait for a transaction that is at work', async () => {
    const inside = Promise.withResolvers<void>()
    const transaction = client.transaction(async (tx) => {
      await tx.query('insert into notes (id) values (1)')
      await inside.promise
      await tx.rollback()
    })
    const outside = client.query('select count(*)::int as count from notes')
    inside.resolve()
    await transaction
    expect((await outside).rows).toEqual([{ count: 0 }])
  })

  it('do not pile up', async () => {
    for (let at = 0; at < 450; at++) {
      const { rows } = await client.query(`select ${at} as number`)
      expect(rows).toEqual([{ number: at }])
    }
    expect((await prepared()).length).toBeLessThanOrEqual(202)
    const long = `select '${'x'.repeat(25_000)}' as text`
    await client.query(long)
    expect((await prepared()).some(({ statement }) => statement === long)).toBe(false)
  })
})
