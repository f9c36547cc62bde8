import { expect, it } from 'vitest'
import { openPostgres } from '../../src/db/postgres.ts'

const url = process.env.TEST_DATABASE_URL

it.skipIf(!url)('ends a statement that takes long when it is told to, and keeps no connection', async () => {
  const connection = await openPostgres({ url: url ?? '', maxConnections: 2 })
  try {
    const stopping = new AbortController()
    const names: string[] = []
    const work = connection.withOwnSession(async (run) => {
      const [row] = await run<{ pid: number }>('select pg_backend_pid() as pid')
      names.push(String(row?.pid))
      // The server tells of it before the statement ends.
      queueMicrotask(() => setImmediate(() => stopping.abort()))
      await run('select pg_sleep(600)')
    }, stopping.signal)
    await expect(work).rejects.toMatchObject({ code: '57014' })
    await expect
      .poll(() => connection.withOwnSession((run) => run(`select 1 from pg_stat_activity where pid = ${names[0]}`)))
      .toEqual([])
  } finally {
    await connection.close()
  }
})
