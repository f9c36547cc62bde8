import { sql } from 'drizzle-orm'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type DatabaseConnection, inTransaction } from '../../src/db/database.ts'
import { openPostgres } from '../../src/db/postgres.ts'
import { isDatabaseAway } from '../../src/db/sql-state.ts'
import { until } from '../helpers/client.ts'
import { createPostgresDatabase, testDatabaseUrl } from '../helpers/test-database.ts'
import { type Fault, type FaultProxy, startFaultProxy } from './fault-proxy.ts'

/** What a caller may have to wait for a database that stands still. */
const BOUND_MS = 5_000

let server: { url: string; drop: () => Promise<void> }
let proxy: FaultProxy
let database: DatabaseConnection

const one = () => database.db.execute(sql`select 1`)
const sleep = (seconds: number) => database.db.execute(sql`select pg_sleep(${seconds})`)

/** How a call ended, and after how many ms. */
async function timed(work: () => Promise<unknown>) {
  const start = performance.now()
  const outcome = await work().then(
    () => 'resolved',
    (error: unknown) => (isDatabaseAway(error) ? 'away' : String(error)),
  )
  return { outcome, ms: performance.now() - start }
}

async function expectAway(work: () => Promise<unknown>): Promise<number> {
  const { outcome, ms } = await timed(work)
  expect(outcome).toBe('away')
  expect(ms).toBeLessThan(BOUND_MS)
  return ms
}

const heals = () =>
  until(
    () => timed(one),
    ({ outcome }) => outcome === 'resolved',
    BOUND_MS,
  )

describe.skipIf(!testDatabaseUrl)('a pool on PostgreSQL', () => {
  beforeAll(async () => {
    server = await createPostgresDatabase(testDatabaseUrl ?? '')
  })
  beforeEach(async () => {
    proxy = await startFaultProxy(server.url)
    database = await openPostgres({ url: proxy.url, maxConnections: 4 })
    await Promise.all([one(), one(), one(), one()])
  })
  afterEach(async () => {
    await proxy.close()
    await database.close()
  })
  afterAll(() => server.drop())

  const faults: [string, Fault][] = [
    ['refuses', { mode: 'refuse' }],
    ['closes connections as it accepts them', { mode: 'close' }],
    ['stalls', { mode: 'stall' }],
    ['resets', { mode: 'reset' }],
    ['speaks another language', { mode: 'answer', bytes: 'HTTP/1.1 400 Bad Request\r\n\r\n<html></html>' }],
  ]
  it.each(faults)('rejects in time while the server %s, and heals', async (_, fault) => {
    await proxy.set(fault)
    const count = 20
    const waits = await Promise.all(Array.from({ length: count }, () => expectAway(one)))
    await expectAway(() => inTransaction(database.db, (tx) => tx.execute(sql`select 1`)))
    await expectAway(() => database.ping())
    await proxy.set({ mode: 'pass' })
    const { ms } = await timed(heals)
    console.log(
      `${fault.mode}: ${count} at once rejected within ${Math.round(Math.max(...waits))} ms, healed in ${Math.round(ms)} ms`,
    )
  })

  it('rejects what waits when the server begins to stall, also in a transaction, which is rolled back', async () => {
    await database.db.execute(sql`create table if not exists marks (name text)`)
    const statement = timed(() => sleep(5))
    const transaction = timed(() =>
      inTransaction(database.db, async (tx) => {
        await tx.execute(sql`insert into marks values ('in doubt')`)
        await proxy.set({ mode: 'stall' })
        await tx.execute(sql`select 1`)
      }),
    )
    for (const { outcome, ms } of await Promise.all([statement, transaction])) {
      expect(outcome).toBe('away')
      expect(ms).toBeLessThan(BOUND_MS)
    }
    await proxy.set({ mode: 'pass' })
    await heals()
    expect(await database.db.execute(sql`select * from marks`)).toHaveLength(0)
  })

  it('breaks connections that are half-open, though new ones work', async () => {
    await proxy.set({ mode: 'half-open' })
    await Promise.all([
      expectAway(one),
      expectAway(one),
      expectAway(() => inTransaction(database.db, (tx) => tx.execute(sql`select 1`))),
    ])
    expect(await timed(() => Promise.all([one(), one(), one(), one()]))).toMatchObject({ outcome: 'resolved' })
  })

  it('has one who asks again and again wait once for connections that are half-open', async () => {
    const processes = async () => {
      const text = sql`select pid from pg_stat_activity where datname = current_database()`
      return ((await database.db.execute(text)) as { pid: number }[]).map(({ pid }) => pid)
    }
    const before = await processes()
    await proxy.set({ mode: 'half-open' })
    const outcomes: string[] = []
    for (let asked = 0; asked < 5; asked++) outcomes.push((await timed(one)).outcome)
    expect(outcomes).toEqual(['away', 'resolved', 'resolved', 'resolved', 'resolved'])
    // Nor does the server keep the processes of the old ones.
    await until(processes, (after) => !after.some((pid) => before.includes(pid)), BOUND_MS)
  })

  it('leaves a statement that is merely slow', async () => {
    expect(await timed(() => sleep(4))).toMatchObject({ outcome: 'resolved' })
  })

  it('survives a connection that breaks between the statements of a transaction', async () => {
    const { outcome } = await timed(() =>
      inTransaction(database.db, async (tx) => {
        await tx.execute(sql`select 1`)
        await proxy.set({ mode: 'refuse' })
        await until(
          () => timed(one),
          ({ outcome }) => outcome === 'away',
        )
        await tx.execute(sql`select 1`)
      }),
    )
    expect(outcome).toBe('away')
    await proxy.set({ mode: 'pass' })
    await heals()
  })

  it('refuses who waits too long for a connection', async () => {
    const busy = Array.from({ length: 4 }, () => timed(() => sleep(4)))
    await expectAway(one)
    await Promise.all(busy)
    expect(await timed(one)).toMatchObject({ outcome: 'resolved' })
  })
})
