import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { summarizeByRules } from './extractive-summary.ts'

const texts = [
  'The user works on a payment service. The payment service is written in Rust.',
  'The user deploys the payment service to Frankfurt on Fridays. Thanks!',
  'A cat walked by.',
  'The payment service is written in Rust.',
]

describe('a summary by rules', () => {
  it('is made of the sentences that share most with the others, in their own words and order', () => {
    const { summary } = summarizeByRules(texts, 120)
    expect(summary).toBe('The user works on a payment service. The payment service is written in Rust.')
    expect(summarizeByRules(texts, 120).summary).toBe(summary)
  })

  it('says nothing twice, no thanks, and all the rest if there is room', () => {
    const { summary, keyPoints } = summarizeByRules(texts, 1_000)
    expect(summary).toBe(
      'The user works on a payment service. The payment service is written in Rust. The user deploys the payment service to Frankfurt on Fridays. A cat walked by.',
    )
    expect(keyPoints).toHaveLength(4)
  })

  it('ends sentences that had no full stop', () => {
    expect(summarizeByRules(['The user loves tea', '我喜欢喝茶', '我住在北京！'], 500).summary).toBe(
      'The user loves tea. 我喜欢喝茶。我住在北京！',
    )
  })

  it('cuts the best sentence where none fits', () => {
    expect(summarizeByRules(['The user works on a very long payment service'], 20).summary).toBe('The user works on a…')
  })

  it('of any texts is within its length', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'grapheme', maxLength: 200 }), { maxLength: 8 }),
        fc.nat(300),
        (any, max) => {
          const { summary } = summarizeByRules(any, max)
          expect(summary.length).toBeLessThanOrEqual(max)
          expect(summary.isWellFormed()).toBe(true)
        },
      ),
      { numRuns: 50 },
    )
  })
})
