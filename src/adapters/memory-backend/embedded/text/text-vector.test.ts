import { describe, expect, it } from 'vitest'
import type { Term } from '../../../../text/tokenise.ts'
import {
  anyTermQuery,
  bothQueries,
  countTerm,
  isSpokenBy,
  partitionTerm,
  readVector,
  signsIn,
  textVector,
  wantedTerms,
} from './text-vector.ts'

const word = (term: string): Term => ({ term, kind: 'word' })
const read = (text: string, ...terms: string[]) => readVector(text, wantedTerms(terms))
const vector = (body: readonly Term[], title: readonly Term[] = []) => textVector(['=p'], { title, speaker: [], body })

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
    expect(anyTermQuery([hostile.term, 'x'])).toBe(`'o''b\\\\r' | 'x'`)
    expect(countTerm(read(vector([hostile]), hostile.term), hostile.term)).toEqual({ title: 0, body: 1, places: [1] })
  })
})

describe('countTerm', () => {
  it('counts by field, and whole terms only', () => {
    const text = vector([word('ab'), word('b'), word('b')], [word('b')])
    expect(countTerm(read(text, 'a', 'b'), 'b')).toEqual({ title: 1, body: 2, places: [1, 3, 4] })
    expect(countTerm(read(text, 'a', 'b'), 'a')).toBeUndefined()
    const hostile = read(`'x''b':1C '''b''':3C 'b':4C`, 'b', "x'b", "'b'")
    expect(["x'b", "'b'", 'b'].map((term) => countTerm(hostile, term)?.places)).toEqual([[1], [3], [4]])
    expect(countTerm(read(`'x''b':1C 'y':2C`, 'b'), 'b')).toBeUndefined()
  })
})

it('names a partition by both of its parts', () => {
  const term = partitionTerm({ projectId: 'a', senderId: 'bc' })
  expect(term).toMatch(/^=[0-9a-f]{16}$/)
  expect(partitionTerm({ projectId: 'ab', senderId: 'c' })).not.toBe(term)
})

it('joins queries', () => {
  expect(bothQueries(anyTermQuery(['p']), anyTermQuery(['x', 'y']))).toBe(`( 'p' ) & ( 'x' | 'y' )`)
})

it('keeps speakers and signs apart from words', () => {
  const fields = { title: [], speaker: [word('ada')], body: [word('bob'), word('adam')] }
  const text = textVector(['=p'], fields, { asks: 3, tellsTime: true })
  expect(text).toBe(`'=p' '@ada' '#time' 'bob':1C 'adam':2C '?':1,2,3`)
  const said = read(text, 'ada', 'bob', 'ad')
  expect([isSpokenBy(said, 'ada'), isSpokenBy(said, 'bob'), isSpokenBy(said, 'ad')]).toEqual([true, false, false])
  expect(countTerm(said, 'ada')).toBeUndefined()
  expect(signsIn(said)).toEqual({ asks: 3, tellsTime: true })
  expect(signsIn(read(`'=p' 'a':1C`))).toEqual({ asks: 0, tellsTime: false })
})
