import { describe, expect, it } from 'vitest'
import type { Term } from '../../../../text/tokenise.ts'
import { chooseTerms } from './choose-terms.ts'

const word = (term: string): Term => ({ term, kind: 'word' })
const character = (term: string): Term => ({ term, kind: 'character' })
const chosen = (terms: Term[], holders: number[], wanted = 10) =>
  chooseTerms(
    terms.map((term, index) => ({ term, held: holders[index] ?? 0 })),
    wanted,
  ).map(({ term }) => term.term)

describe('chooseTerms', () => {
  it('looks for every word that matches little', () => {
    expect(chosen([word('a'), word('b'), word('none')], [300, 5, 0])).toEqual(['b', 'a'])
  })

  it('leaves out what is in nearly everything, if the rest finds enough', () => {
    expect(chosen([word('common'), word('rare')], [1_000, 10])).toEqual(['rare'])
    expect(chosen([word('common'), word('rare')], [1_000, 9])).toEqual(['rare', 'common'])
  })

  it('takes single characters only where words find too little', () => {
    expect(chosen([character('蓝'), word('蓝色')], [2, 10])).toEqual(['蓝色'])
    expect(chosen([character('蓝'), word('蓝色')], [900, 1])).toEqual(['蓝色', '蓝'])
  })
})
