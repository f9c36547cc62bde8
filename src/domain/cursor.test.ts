import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeCursor, encodeCursor, toPage } from './cursor.ts'

describe('cursors', () => {
  it('come back as they went', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.stringMatching(/^[a-z]{1,3}_[a-z0-9]{1,32}$/), (sort, id) => {
        expect(decodeCursor(encodeCursor({ sort, id }))).toEqual({ sort, id })
      }),
    )
  })

  it('refuse whatever was not made by us', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const made = () => decodeCursor(text)
        try {
          expect(made()).toMatchObject({ sort: expect.any(Number), id: expect.any(String) })
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_request' })
        }
      }),
    )
    const injected = Buffer.from(JSON.stringify([1, "x') or true --"])).toString('base64url')
    expect(() => decodeCursor(injected)).toThrow(/next_cursor/)
  })

  it('end with the last page', () => {
    const rows = [1, 2, 3].map((sort) => ({ sort, id: `a_${sort}` }))
    expect(toPage(rows, 3, (row) => row).nextCursor).toBeNull()
    const { items, nextCursor } = toPage(rows, 2, (row) => row)
    expect(items).toHaveLength(2)
    expect(decodeCursor(nextCursor ?? undefined)).toEqual({ sort: 2, id: 'a_2' })
  })
})
