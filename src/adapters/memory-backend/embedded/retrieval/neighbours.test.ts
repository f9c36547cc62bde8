import { expect, it } from 'vitest'
import { arrangeNeighbours } from './neighbours.ts'
import type { FoundMemory } from './queries.ts'

const at = (timestamp: number, rest: Partial<FoundMemory> = {}): FoundMemory => ({
  id: `${rest.sessionId ?? 's'}${timestamp}`,
  sessionId: 's',
  timestamp,
  passage: 0,
  kind: 'turn',
  role: 'user',
  length: 1,
  vector: '',
  ...rest,
})

const around = (memories: readonly FoundMemory[], centres: readonly FoundMemory[], id: string) =>
  Object.fromEntries(
    (arrangeNeighbours(memories, centres).get(id) ?? []).map(({ memory, distance }) => [distance, memory.id]),
  )

it('finds up to three messages on either side, in the same session', () => {
  const memories = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((timestamp) => at(timestamp))
  const centre = at(5)
  const all = [...memories.toReversed(), at(4, { sessionId: 'other' })]
  expect(around(all, [centre], 's5')).toEqual({ '-3': 's2', '-2': 's3', '-1': 's4', '1': 's6', '2': 's7', '3': 's8' })
  expect(around(all, [centre], 'other4')).toEqual({})
})

it('does not take for neighbours what lies between two centres, as messages may be missing there', () => {
  const memories = [at(1), at(2), at(3), at(4), at(90), at(91)]
  expect(around(memories, [at(1)], 's4')).toEqual({ '-1': 's3', '-2': 's2', '-3': 's1' })
  expect(around(memories, [at(1)], 's91')).toEqual({})
})

it('takes the first passage of a message for all of it, and leaves facts alone', () => {
  const long = [at(2, { id: 'p1', passage: 1 }), at(2, { id: 'p0' })]
  const fact = at(2, { id: 'fact', kind: 'fact', passage: -1 })
  const memories = [at(1), ...long, fact, at(3)]
  expect(around(memories, [at(1)], 's1')).toEqual({ '1': 'p0', '2': 's3' })
  expect(around(memories, [at(1)], 'p1')).toEqual({ '-1': 's1', '1': 's3' })
  expect(around(memories, [at(1)], 'fact')).toEqual({})
})
