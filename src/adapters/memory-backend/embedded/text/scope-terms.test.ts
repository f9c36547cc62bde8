import { describe, expect, it } from 'vitest'
import { type Scope, scopeQueries, scopeTerms } from './scope-terms.ts'

const DAY = 86_400_000
const NOW = Date.UTC(2026, 0, 15)
const partition = { projectId: 'p', senderId: 'u' }
const everything: Scope = { ...partition, from: 0, to: Number.MAX_SAFE_INTEGER, sessionIds: undefined }

/** Terms of a memory of that time, stored at `now`. */
const memory = (timestamp: number, now = NOW, sessionId = 's') =>
  scopeTerms({ ...partition, sessionId }, { id: 'ab', timestamp }, now)
/** Whether a query of terms joined by "or" matches. */
const covers = (query: string, terms: readonly string[]) =>
  query.split(' | ').some((term) => terms.includes(term.slice(1, -1)))

describe('scopeQueries', () => {
  it('is the whole partition without limits, or within very long times', () => {
    expect(scopeQueries(everything, NOW).isWhole).toBe(true)
    expect(scopeQueries({ ...everything, from: NOW - 1_000 * DAY }, NOW).isWhole).toBe(true)
    expect(covers(scopeQueries(everything, NOW).all, memory(NOW))).toBe(true)
  })

  it('covers every memory of the times, stored whenever, and few others', () => {
    const from = NOW - 30 * DAY
    for (const to of [NOW, NOW + 400 * DAY, Number.MAX_SAFE_INTEGER]) {
      const { all } = scopeQueries({ ...everything, from, to }, NOW)
      const times = [from, NOW - 3 * DAY, NOW, NOW + 20 * DAY, NOW + 90 * DAY, NOW + 5_000 * DAY]
      for (const time of times.filter((one) => one <= to)) {
        for (const storedAt of [NOW, NOW - 400 * DAY]) expect(covers(all, memory(time, storedAt))).toBe(true)
      }
      expect(covers(all, memory(NOW - 60 * DAY))).toBe(false)
    }
  })

  it('is never empty, also of times that are turned round or long to come', () => {
    expect(scopeQueries({ ...everything, from: NOW, to: NOW - 90 * DAY }, NOW).all).not.toBe('')
    const later = scopeQueries({ ...everything, from: NOW + 900 * DAY, to: NOW + 901 * DAY }, NOW)
    expect(covers(later.all, memory(NOW + 900 * DAY))).toBe(true)
  })

  it('is the sessions, where they are given', () => {
    const { all } = scopeQueries({ ...everything, sessionIds: ['s', 't'] }, NOW)
    expect(covers(all, memory(1, NOW, 't'))).toBe(true)
    expect(covers(all, memory(1, NOW, 'other'))).toBe(false)
    const many = Array.from({ length: 500 }, (_, at) => `s${at}`)
    expect(scopeQueries({ ...everything, sessionIds: many }, NOW).isWhole).toBe(true)
  })

  it('shares no term with another partition', () => {
    const others = scopeTerms({ projectId: 'p', senderId: 'other', sessionId: 's' }, { id: '00', timestamp: NOW }, NOW)
    expect(others).toHaveLength(4)
    for (const scope of [everything, { ...everything, from: NOW }, { ...everything, sessionIds: ['s'] }]) {
      expect(covers(scopeQueries(scope, NOW).all, others)).toBe(false)
    }
  })
})
