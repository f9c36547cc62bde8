import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readTimes } from './periods.ts'

/** A Sunday. */
const askedAt = Date.UTC(2026, 10, 22, 12)
const day = (time: number) => new Date(time).toISOString().slice(0, 10)
const spans = (text: string) => readTimes(text, askedAt).periods.map(({ from, to }) => `${day(from)}..${day(to)}`)

describe('readTimes', () => {
  it.each([
    ['on 7 May 2023', '2023-05-07..2023-05-07'],
    ['May 7th, 2022', '2022-05-07..2022-05-07'],
    ['in May 2023', '2023-05-01..2023-05-31'],
    ['2023-05-07', '2023-05-07..2023-05-07'],
    ['what happened in 2022?', '2022-01-01..2022-12-31'],
    ['yesterday', '2026-11-21..2026-11-21'],
    ['last week', '2026-11-09..2026-11-15'],
    ['this week', '2026-11-16..2026-11-22'],
    ['last weekend', '2026-11-13..2026-11-15'],
    ['last Friday', '2026-11-20..2026-11-20'],
    ['last month', '2026-10-01..2026-10-31'],
    ['last year', '2025-01-01..2025-12-31'],
    ['two weeks ago', '2026-10-30..2026-11-11'],
    ['over the past 3 months', '2026-08-01..2026-11-22'],
    ['昨天', '2026-11-21..2026-11-21'],
    ['上周五吃了什么', '2026-11-13..2026-11-13'],
    ['上个月', '2026-10-01..2026-10-31'],
    ['去年', '2025-01-01..2025-12-31'],
    ['2023年5月7日', '2023-05-07..2023-05-07'],
    ['2023年十二月', '2023-12-01..2023-12-31'],
    ['三天前', '2026-11-18..2026-11-20'],
  ])('%s', (text, expected) => expect(spans(text)).toEqual([expected]))

  it('takes a month without its year for that of any', () => {
    expect(spans('in July')).toContain('2019-07-01..2019-07-31')
    expect(spans('五月份')).toContain('2024-05-01..2024-05-31')
  })

  it.each(['I may go', 'march on', 'a second', 'the last word', '个月'])('finds none in: %s', (text) => {
    expect(readTimes(text, askedAt)).toEqual({ periods: [], rest: text, dates: '', timeless: text })
  })

  it('cuts out pointers, and keeps dates', () => {
    expect(readTimes('tea last week', askedAt).rest.trim()).toBe('tea')
    expect(readTimes('tea on 7 May', askedAt)).toMatchObject({ rest: expect.stringContaining('7 May'), dates: '7 May' })
    expect(readTimes('tea on 7 May', askedAt).timeless.trim()).toBe('tea on')
  })

  it('names a bounded number of times, whatever a text is full of', () => {
    expect(readTimes('5月'.repeat(2_000), Date.UTC(2024, 4, 1)).periods.length).toBeLessThan(120)
  })

  it('takes anything', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.nat(), (text, time) => {
        for (const { from, to } of readTimes(text, time).periods) expect(from).toBeLessThanOrEqual(to)
      }),
    )
    expect(readTimes(`${'1'.repeat(100_000)} years ago`, askedAt).periods).toEqual([])
  })
})
