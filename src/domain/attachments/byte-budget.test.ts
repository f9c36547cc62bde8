import { describe, expect, it } from 'vitest'
import { ByteBudget } from './byte-budget.ts'

describe('the byte budget', () => {
  it('refuses what does not fit, and has room again when bytes are given back, once', () => {
    const budget = new ByteBudget(100)
    const first = budget.take(60)
    budget.take(40)
    const full = expect.objectContaining({ code: 'unavailable', retryAfter: 1 })
    expect(() => budget.take(1)).toThrow(full)
    first[Symbol.dispose]()
    first[Symbol.dispose]()
    expect(() => budget.take(61)).toThrow(full)
    expect(() => budget.take(60)).not.toThrow()
  })
})
