import { expect, it } from 'vitest'
import type { MemoryHit } from '../../../../ports/memory-backend.ts'
import { mergeDuplicates } from './merge-duplicates.ts'

function hit(id: string, text: string, timestamp: number, rest: Partial<MemoryHit> = {}): MemoryHit {
  const sources = [{ sessionId: `s${id}`, timestamp }]
  return {
    id,
    projectId: 'p',
    senderId: 'u',
    sessionId: `s${id}`,
    text,
    facts: [],
    score: 0.5,
    timestamp,
    sources,
    ...rest,
  }
}

it('makes one hit of the same words, the newest in the place of the best', () => {
  const explanation = { words: 0.9 }
  const merged = mergeDuplicates([
    hit('a', 'Tea, please!', 1, { score: 0.9, explanation }),
    hit('b', 'Coffee', 2),
    hit('c', 'tea please', 3, { score: 0.2, explanation: { words: 0.2 } }),
  ])
  expect(merged.map(({ id, score }) => [id, score])).toEqual([
    ['c', 0.9],
    ['b', 0.5],
  ])
  expect(merged[0]).toMatchObject({ text: 'tea please', timestamp: 3, sessionId: 'sc', explanation })
  expect(merged[0]?.sources).toEqual([
    { sessionId: 'sc', timestamp: 3 },
    { sessionId: 'sa', timestamp: 1 },
  ])
})

it('names every place once', () => {
  const sources = [{ sessionId: 's', timestamp: 1, place: { sha256: 'f', page: 1 } }]
  const other = [{ sessionId: 's', timestamp: 1, place: { sha256: 'f', page: 2 } }]
  const merged = mergeDuplicates([
    hit('a', 'x', 1, { sources }),
    hit('b', 'x', 1, { sources }),
    hit('c', 'x', 1, { sources: other }),
  ])
  expect(merged.map((each) => each.sources)).toEqual([[...sources, ...other]])
})

it.each([
  [hit('a', 'I eat fish', 1), hit('b', 'I do not eat fish', 2)],
  [hit('a', 'Invoice 1', 1), hit('b', 'Invoice 2', 2)],
  [hit('a', '蓝色', 1), hit('b', '红色', 2)],
  [hit('a', '😀', 1), hit('b', '😢', 2)],
  [hit('a', 'ab c', 1), hit('b', 'a bc', 2)],
  [hit('a', 'Tea', 1, { speaker: 'Ada' }), hit('b', 'Tea', 2, { speaker: 'Bob' })],
  [hit('a', 'Tea', 1), hit('b', 'Tea', 2, { pending: true })],
])('keeps apart what differs (%#)', (one, other) => {
  expect(mergeDuplicates([one, other])).toEqual([one, other])
})
