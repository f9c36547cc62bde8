import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cleanFileName } from './file-name.ts'

describe('the name of a file', () => {
  it.each([
    ['../../etc/passwd', 'passwd'],
    ['C:\\Users\\me\\cat.png', 'cat.png'],
    ['invoice\u202Egpj.exe', 'invoicegpj.exe'],
    ['a\r\nSet-Cookie: b.txt', 'aSet-Cookie: b.txt'],
    ['cafe\u0301.txt', 'caf\u00e9.txt'],
    ['图片.png', '图片.png'],
    ['..', 'fallback'],
    ['', 'fallback'],
  ])('%j is kept as %j', (given, kept) => {
    expect(cleanFileName(given, 'fallback', 255)).toBe(kept)
  })

  it('is refused with NUL, a lone surrogate, or too many bytes', () => {
    for (const given of ['a\0b', 'a\ud800b', '字'.repeat(86)]) {
      expect(() => cleanFileName(given, 'fallback', 255)).toThrow(expect.objectContaining({ code: 'invalid_request' }))
    }
  })

  it('that is too long is refused with the limit', () => {
    const details = { max_filename_bytes: 4 }
    expect(() => cleanFileName('a.txt', 'fallback', 4)).toThrow(expect.objectContaining({ details }))
  })

  it('never has a path, a control character, or nothing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (given) => {
        try {
          const name = cleanFileName(given, 'file_1', 255)
          expect(name).toMatch(/^[^/\\\p{Cc}]+$/u)
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_request' })
        }
      }),
    )
  })
})
