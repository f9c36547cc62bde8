import { describe, expect, it } from 'vitest'
import type { Term } from '../../../../text/tokenise.ts'
import { anyTermQuery, countTerm, partitionQuery, partitionTerm, textVector } from './text-vector.ts'

const word = (term: string): Term => ({ term, kind: 'word' })
const vector = (body: readonly Term[], title: readonly Term[] = []) => textVector('=p', { title, speaker: [], body })

describe('textVector', () => {
  it('labels fields, and leaves single characters unlabelled', () => {
    const text = vector([word('a'), { term: '蓝', kind: 'character' }, word('a')], [word('t')])
    expect(text).toBe(`'=p' 't':1A 'a':2C,4C '蓝':3`)
  })

  it('stays within the bounds of PostgreSQL', () => {
    const text = vector([...Array<Term>(300).fill(word('a')), ...Array<Term>(17_000).fill(word('b')), word('c')])
    expect(text.match(/'a':([^ ]*)/)?.[1]?.split(',')).toHaveLength(255)
    expect(text).toContain(`'c':16383C`)
  })

  it('quotes hostile terms everywhere', () => {
    const hostile = word(`o'b\\r`)
    expect(vector([hostile])).toBe(`'=p' 'o''b\\\\r':1C`)
    expect(anyTermQuery([hostile, word('x')])).toBe(`'o''b\\\\r' | 'x'`)
    expect(countTerm(vector([hostile]), hostile.term)).toEqual({ title: 0, speaker: 0, body: 1 })
  })
})

describe('countTerm', () => {
  it('counts by field, and whole terms only', () => {
    const text = vector([word('ab'), word('b'), word('b')], [word('b')])
    expect(countTerm(text, 'b')).toEqual({ title: 1, speaker: 0, body: 2 })
    expect(countTerm(text, 'a')).toBeUndefined()
    expect(countTerm(`'x''b':1C 'y':2C`, 'b')).toBeUndefined()
  })
})

it('names a partition by both of its parts', () => {
  const term = partitionTerm({ projectId: 'a', senderId: 'bc' })
  expect(term).toMatch(/^=[0-9a-f]{16}$/)
  expect(partitionTerm({ projectId: 'ab', senderId: 'c' })).not.toBe(term)
  expect(partitionQuery(term, [word('x'), word('y')])).toBe(`'${term}' & ( 'x' | 'y' )`)
})
