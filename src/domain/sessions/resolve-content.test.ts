import { describe, expect, it } from 'vitest'
import { matchUploads } from './resolve-content.ts'
import type { FileItem } from './schemas.ts'

const items = (...ids: string[]): FileItem[] => ids.map((id) => ({ type: 'image', upload_id: id }))

describe('upload ids and file fields', () => {
  it('match one to one in any order', () => {
    expect(() => matchUploads(items('a', 'b', '__proto__'), ['__proto__', 'b', 'a'])).not.toThrow()
    expect(() => matchUploads([], [])).not.toThrow()
  })

  it.each([
    [items('a'), [], { missing_files: ['a'] }],
    [items('a', 'a'), ['a'], { duplicate_upload_ids: ['a'] }],
    [items('a'), ['a', 'b'], { unreferenced_files: ['b'] }],
    [items('a'), ['a', 'a'], { duplicate_files: ['a'] }],
    [
      items('a', 'a', 'x'),
      ['b', 'b'],
      { duplicate_upload_ids: ['a'], duplicate_files: ['b'], missing_files: ['a', 'x'], unreferenced_files: ['b'] },
    ],
  ])('name every fault', (wanted, sent, details) => {
    expect(() => matchUploads(wanted, sent)).toThrow(expect.objectContaining({ code: 'invalid_request', details }))
  })

  it('name an item without an id', () => {
    expect(() => matchUploads([{ type: 'image' }], [])).toThrow(/upload_id/)
  })
})
