import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { contentDisposition, resolveRange } from './downloads.ts'

const ETAG = '"abc"'

describe('a range of a file of 10 bytes', () => {
  it.each([
    [undefined, { status: 200 }],
    ['bytes=0-3', { status: 206, range: { start: 0, end: 3 } }],
    ['bytes=4-', { status: 206, range: { start: 4, end: 9 } }],
    ['bytes=-3', { status: 206, range: { start: 7, end: 9 } }],
    ['bytes=-99', { status: 206, range: { start: 0, end: 9 } }],
    ['bytes=8-99', { status: 206, range: { start: 8, end: 9 } }],
    ['bytes=10-', { status: 416 }],
    ['bytes=-0', { status: 416 }],
    ['bytes=5-2', { status: 200 }],
    ['bytes=0-1,4-5', { status: 200 }],
    ['items=0-1', { status: 200 }],
    ['bytes=-', { status: 200 }],
  ])('%s', (header, answer) => {
    expect(resolveRange(header, undefined, 10, ETAG)).toEqual(answer)
  })

  it('is the whole if the caller has another version', () => {
    expect(resolveRange('bytes=0-3', '"old"', 10, ETAG)).toEqual({ status: 200 })
    expect(resolveRange('bytes=0-3', ETAG, 10, ETAG)).toMatchObject({ status: 206 })
  })

  it('of an empty file is none', () => {
    expect(resolveRange('bytes=0-', undefined, 0, ETAG)).toEqual({ status: 416 })
  })
})

describe('Content-Disposition', () => {
  it('carries any name in plain ASCII, and gives it back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (name) => {
        const header = contentDisposition(name)
        expect(header).toMatch(/^attachment; filename="[^"\\\r\n]*"; filename\*=UTF-8''[!#$&+\-.^_`|~A-Za-z0-9%]*$/)
        expect(decodeURIComponent(header.split("UTF-8''")[1] ?? '')).toBe(name)
      }),
    )
  })
})
