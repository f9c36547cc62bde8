import { describe, expect, it } from 'vitest'
import { acceptFacts, factId } from './fact.ts'
import type { Window } from './window.ts'

const session = { projectId: 'p', senderId: 'u', sessionId: 's' }
const SAID_AT = Date.UTC(2026, 2, 10)
const message = (timestamp: number) => ({ timestamp, speaker: 'Ada', role: 'user', text: 'Something.' }) as const
const window: Window = { earlier: [message(SAID_AT - 1)], messages: [message(SAID_AT)], through: SAID_AT }

function accept(more: object) {
  const fact = {
    text: 'A.',
    type: 'fact' as const,
    confidence: 1,
    occurred_at: null,
    sources: [2],
    replaces: [],
    ...more,
  }
  return acceptFacts(session, { facts: [fact] }, window, []).facts[0]
}

describe('a fact of a model', () => {
  it.each([
    ['2026', Date.UTC(2026)],
    ['2026-02', Date.UTC(2026, 1)],
    ['2026-02-03', Date.UTC(2026, 1, 3)],
    [' 2026-02-03T14:30 ', Date.UTC(2026, 1, 3, 14, 30)],
    ['2026-02-03 14:30:59Z', Date.UTC(2026, 1, 3, 14, 30)],
    ['1815-12-10', Date.UTC(1815, 11, 10)],
    ['2026-02-31', undefined],
    ['2026-13', undefined],
    ['0044', undefined],
    ['2999-01-01', undefined],
    ['last week', undefined],
    ['', undefined],
  ])('that happened at "%s"', (given, expected) => {
    expect(accept({ occurred_at: given })?.occurredAt).toBe(expected)
  })

  it('rests on at least one message that was not read before', () => {
    expect(accept({ sources: [1] })).toBeUndefined()
    expect(accept({ sources: [2, 1, 2] })?.sourceTimestamps).toEqual([SAID_AT - 1, SAID_AT])
  })

  it('is the same however it is written, but not in another session', () => {
    expect(factId(session, 'Ada likes tea.')).toBe(factId(session, 'ADA likes tea'))
    expect(factId(session, '小雅喜欢茶。')).toBe(factId(session, '小雅喜欢茶'))
    expect(factId(session, 'Ada likes tea.')).not.toBe(factId({ ...session, sessionId: 't' }, 'Ada likes tea.'))
  })
})
