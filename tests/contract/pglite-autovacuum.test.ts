import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { PgliteConnection } from '../../src/db/pglite.ts'
import { startAutovacuum, vacuumChanged } from '../../src/db/pglite-autovacuum.ts'
import { openTemplate } from '../helpers/database-template.ts'

let database: PgliteConnection

beforeEach(async () => {
  database = await openTemplate()
  await database.client.exec(
    'create table noted (id int primary key, body text); insert into noted select g, md5(g::text) from generate_series(1, 400) g',
  )
})

afterEach(async () => {
  vi.useRealTimers()
  await database.close()
})

/** Of the table: what the planner takes for its rows (-1: it has no idea), and how often it was vacuumed. */
async function known() {
  await database.client.query('select pg_stat_force_next_flush()')
  const { rows } = await database.client.query<{ rows: number; vacuums: number; dead: number }>(
    `select c.reltuples::int as rows, s.vacuum_count::int as vacuums, s.n_dead_tup::int as dead
      from pg_class c join pg_stat_user_tables s on s.relid = c.oid where c.relname = 'noted'`,
  )
  return rows[0]
}

describe('upkeep of the embedded database', () => {
  it('gives a table that has grown statistics, once', async () => {
    expect(await known()).toMatchObject({ rows: -1 })
    await vacuumChanged(database.client)
    expect(await known()).toMatchObject({ rows: 400, vacuums: 1 })
    await vacuumChanged(database.client)
    expect(await known()).toMatchObject({ rows: 400, vacuums: 1 })
  })

  it('frees the rows of a table that has changed much, and leaves alone one that has changed little', async () => {
    await vacuumChanged(database.client)
    await database.client.exec('update noted set body = body where id <= 20')
    await vacuumChanged(database.client)
    expect(await known()).toMatchObject({ vacuums: 1 })
    await database.client.exec('delete from noted where id <= 300')
    await vacuumChanged(database.client)
    expect(await known()).toMatchObject({ rows: 100, vacuums: 2, dead: 0 })
  })

  it('goes on after it has failed, and ends', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const failures: unknown[] = []
    const end = await startAutovacuum(database.client, (error) => failures.push(error))
    const exec = vi.spyOn(database.client, 'exec').mockRejectedValueOnce(new Error('no space'))
    vi.advanceTimersByTime(60_000)
    await vi.waitFor(() => expect(failures).toEqual([new Error('no space')]))
    vi.advanceTimersByTime(60_000)
    await vi.waitFor(async () => expect(await known()).toMatchObject({ rows: 400 }))
    await end()
    const asked = exec.mock.calls.length
    vi.advanceTimersByTime(600_000)
    await database.client.query('select 1')
    expect(exec.mock.calls).toHaveLength(asked)
  })
})
