import { describe, expect, it } from 'vitest'
import { freeBuffer } from './free-buffer.ts'

describe('giving memory back', () => {
  it('empties a buffer that has its memory to itself', () => {
    const bytes = Buffer.from(new ArrayBuffer(64 * 1024))
    freeBuffer(bytes)
    expect([bytes.length, bytes.buffer.byteLength]).toEqual([0, 0])
  })

  it('leaves memory that others may lie in', () => {
    const whole = Buffer.alloc(64 * 1024, 'a')
    const part = whole.subarray(1)
    const pooled = Buffer.from('a small one')
    freeBuffer(part)
    freeBuffer(pooled)
    expect([whole.length, part.length, String(pooled)]).toEqual([65_536, 65_535, 'a small one'])
  })

  it('bears a buffer that is empty, or was freed before', () => {
    const bytes = Buffer.from(new ArrayBuffer(64 * 1024))
    freeBuffer(bytes)
    freeBuffer(bytes)
    freeBuffer(Buffer.alloc(0))
    expect(bytes.length).toBe(0)
  })
})
