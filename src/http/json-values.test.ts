import { describe, expect, it } from 'vitest'
import { checkJsonValues } from './json-values.ts'

const array = (length: number, value: string) => `[${Array.from({ length }, () => value).join(',')}]`

describe('a JSON text', () => {
  it.each([
    ['numbers', array(19_999, '0')],
    ['empty arrays', array(9_999, '[]')],
    ['pairs', `{${Array.from({ length: 19_999 }, (_, key) => `"${key}":{`.slice(0, -1) + '0').join(',')}}`],
    ['strings full of what looks like structure', array(2, JSON.stringify(`,[{"\\`.repeat(50_000)))],
  ])('of up to 20 000 values is let through: %s', (_what, text) => {
    expect(JSON.parse(text)).toBeDefined()
    checkJsonValues(text)
  })

  it.each([
    ['numbers', array(20_000, '0')],
    ['objects', array(10_001, '{}')],
    ['levels', '['.repeat(20_001)],
    ['values after a string that ends in a backslash', `["\\\\",${array(20_000, '0')}]`],
  ])('of more is refused: %s', (_what, text) => {
    expect(() => checkJsonValues(text)).toThrow('20000 values at most')
  })
})
