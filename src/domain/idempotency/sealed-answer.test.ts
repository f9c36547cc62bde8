import { describe, expect, it } from 'vitest'
import { fingerprint } from './sealed-answer.ts'

describe('the fingerprint of a request', () => {
  it('is the same whatever the order of keys', () => {
    expect(fingerprint({ a: 1, b: { c: 2, d: [3] } })).toBe(fingerprint({ b: { d: [3], c: 2 }, a: 1 }))
  })

  it('differs with any value, type, place or nesting', () => {
    const values = [
      null,
      true,
      'true',
      1,
      '1',
      '',
      [],
      {},
      [[]],
      [{}],
      ['a', 'b'],
      ['b', 'a'],
      ['ab'],
      ['as1:b'],
      [['a'], 'b'],
      ['a', ['b']],
      { a: 'b' },
      { a: { b: null } },
      { a: null, b: null },
      { '0': 'a', '1': 'b' },
    ]
    expect(new Set(values.map(fingerprint)).size).toBe(values.length)
  })

  it('takes any depth', () => {
    const depth = 100_000
    expect(fingerprint(JSON.parse('['.repeat(depth) + ']'.repeat(depth)))).toHaveLength(64)
  })
})
