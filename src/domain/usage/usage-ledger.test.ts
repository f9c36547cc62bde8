import { expect, test, vi } from 'vitest'
import type { Database } from '../../db/database.ts'
import type { Log } from '../../observability/logger.ts'
import { type Counter, UsageLedger } from './usage-ledger.ts'

const startsAt = new Date('2031-05-05T00:00:00Z')
const searches: Counter = { subject: 'acc_1', metric: 'searches', period: 'day', startsAt }

/** A database that notes what it is told to add, or fails. */
function ledger() {
  const written: string[] = []
  const state = { isAway: false }
  const execute = vi.fn(() => {
    if (state.isAway) return Promise.reject(new Error('away'))
    written.push('once')
    return Promise.resolve([])
  })
  const warn = vi.fn()
  const made = new UsageLedger({ execute } as unknown as Database, { warn } as unknown as Log)
  return { made, written, state, warn }
}

test('many uses are written down together, and those of none not at all', async () => {
  const { made, written } = ledger()
  for (let use = 0; use < 1000; use++) made.add(searches, 1)
  await made.flush()
  await made.flush()
  expect(written).toHaveLength(1)
})

test('what could not be written is kept for the next time', async () => {
  const { made, written, state, warn } = ledger()
  made.add(searches, 2)
  state.isAway = true
  await made.flush()
  expect(warn).toHaveBeenCalledOnce()
  state.isAway = false
  await made.close()
  expect(written).toHaveLength(1)
})

test('a counter is known to stand where it was seen, in its own period alone', () => {
  const { made } = ledger()
  expect(made.atLeast(searches)).toBe(0)
  made.noteFull(searches, 100)
  expect(made.atLeast({ ...searches })).toBe(100)
  expect(made.atLeast({ ...searches, startsAt: new Date('2031-05-06T00:00:00Z') })).toBe(0)
  expect(made.atLeast({ ...searches, period: 'month' })).toBe(0)
})

test('an account has at most what it had, and all that came since to any account', () => {
  const { made } = ledger()
  expect(made.memoriesAtMost('acc_1', 70)).toBeUndefined()
  made.noteMemories('acc_1', 5, 70)
  expect(made.memoriesAtMost('acc_1', 70)).toBe(5)
  expect(made.memoriesAtMost('acc_1', 73)).toBe(8)
})
