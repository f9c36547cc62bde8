import type { Job, PerJobWorkHandler, PgBoss } from 'pg-boss'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { startWorkers } from './workers.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
})
afterEach(() => {
  vi.useRealTimers()
})

const none: Job<string>[] = []

async function startFake(handle: PerJobWorkHandler<string>) {
  const woken: string[] = []
  const workers: PerJobWorkHandler<string>[] = []
  const boss = {
    work: async (_name: string, _settings: object, work: PerJobWorkHandler<string>) => String(workers.push(work) - 1),
    notifyWorker: (id: string) => woken.push(id),
  } as unknown as PgBoss
  const end = await startWorkers(boss, 'queue', { parallel: 3, pollSeconds: 2, perGroup: undefined }, handle)
  return { woken, workers, end }
}

it('has one worker look at each poll, each in turn', async () => {
  const { woken, end } = await startFake(async () => [])
  vi.advanceTimersByTime(8_000)
  expect(woken).toEqual(['1', '2', '0', '1'])
  end()
  vi.advanceTimersByTime(8_000)
  expect(woken).toHaveLength(4)
})

it('has another look as soon as one has a job, and at the polls none who is at work', async () => {
  const jobs = Promise.withResolvers<[]>()
  const { woken, workers } = await startFake(() => jobs.promise)
  const [first, second] = [workers[0]!(none), workers[1]!(none)]
  expect(woken).toEqual(['1', '2'])
  vi.advanceTimersByTime(4_000)
  expect(woken).toEqual(['1', '2', '2', '2'])
  jobs.resolve([])
  await Promise.all([first, second])
  expect(woken.slice(4)).toEqual(['0', '1'])
})

it('wakes nobody while all are at work, and goes on after a job that failed', async () => {
  const jobs = Promise.withResolvers<[]>()
  const { woken, workers } = await startFake(() => jobs.promise)
  const working = workers.map((work) => work(none))
  woken.length = 0
  vi.advanceTimersByTime(4_000)
  expect(woken).toEqual([])
  jobs.reject(new Error('away'))
  await Promise.allSettled(working)
  expect(woken).toEqual(['0', '1', '2'])
  vi.advanceTimersByTime(2_000)
  expect(woken).toHaveLength(4)
})
