import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { documentTerms, queryTerms } from './tokenise.ts'

const words = (text: string) => documentTerms(text).map(({ term }) => term)
const asked = (text: string) => queryTerms(text).flatMap(({ term, kind }) => (kind === 'word' ? [term] : []))

describe('documentTerms', () => {
  it.each([
    ['hikes hiking hiked', ['hik', 'hik', 'hik']],
    ['studies planning', ['study', 'plan']],
    ['ＡＢＣ１２３', ['abc123']],
    ["Caroline's café", ['carolin', 'caf']],
    ['the of 的', []],
    ['蓝色', ['蓝', '蓝色', '色']],
    ['在家', ['在家', '家']],
    ['ラーメン', ['ラー', 'ーメ', 'メン']],
    ['한국어', ['한국', '국어']],
    ['C++ c#', ['c++', 'c', 'c#', 'c']],
    ['ab@example.org', ['ab@example.org', 'ab', 'exampl', 'org']],
  ])('%s', (text, expected) => expect(words(text)).toEqual(expected))

  it('keeps an id whole beside its parts', () => {
    expect(words('INV-2024-001')).toEqual(['inv-2024-001', 'inv', '2024', '001'])
  })

  it('makes short, whole terms of anything', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        for (const term of words(text)) {
          expect(term).toMatch(/^[^\s'\\]{1,64}$/u)
          expect(term.isWellFormed()).toBe(true)
        }
      }),
    )
  })
})

describe('queryTerms', () => {
  it('leaves out question words and pairs with binding characters', () => {
    expect(asked('图片里的蓝色圆形在哪里?底部是什么颜色的横条?')).toEqual([
      '图片',
      '蓝色',
      '色圆',
      '圆形',
      '底部',
      '颜色',
      '横条',
    ])
    expect(asked('What is the colour of the bar?')).toEqual(['colour', 'bar'])
  })

  it('keeps a pair that is all there is', () => expect(asked('目的')).toEqual(['目的']))

  it('takes each term once, and not too many', () => {
    expect(asked('cat cat cats')).toEqual(['cat'])
    expect(asked(Array.from({ length: 500 }, (_, index) => `word${index}`).join(' '))).toHaveLength(64)
  })
})
