import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fitsOnePassage, splitPassages } from './passages.ts'

describe('splitPassages', () => {
  it('cuts between paragraphs before it cuts between sentences', () => {
    const paragraph = 'One sentence here. Another one there. '.repeat(20).trim()
    expect(splitPassages(`${paragraph}\n\n${paragraph}`)).toEqual([paragraph, paragraph])
  })

  it('cuts Chinese at its sentences, at half the characters', () => {
    const passages = splitPassages('今天天气很好,我们去公园散步。'.repeat(100))
    for (const passage of passages) {
      expect(passage.length).toBeLessThanOrEqual(640)
      expect(passage.endsWith('。')).toBe(true)
    }
  })

  it.each(['.', '!', '.!', '.)', ' x', '\n x', 'x'])('does not choke on a long text of "%s"', (unit) => {
    const text = unit.repeat(400_000 / unit.length)
    expect(splitPassages(text).join('').replace(/\s/g, '')).toHaveLength(text.replace(/\s/g, '').length)
  })

  it('loses nothing but blanks, and never half a character', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', '好', '😀', ' ', '\n', '. '), maxLength: 3_000 }), (text) => {
        const passages = splitPassages(text)
        expect(passages.join('').replace(/\s/g, '')).toBe(text.replace(/\s/g, ''))
        for (const passage of passages) expect(fitsOnePassage(passage) && passage.isWellFormed()).toBe(true)
      }),
      { numRuns: 50 },
    )
  })
})
