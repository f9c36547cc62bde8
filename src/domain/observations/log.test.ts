import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { appendToLog, lineCount, logAfter, type Observation, onOneLine, parseLog, renderLog, slicesOf } from './log.ts'

const observation = (changes: Partial<Observation> = {}): Observation => ({
  date: '2026-05-03',
  time: '14:05',
  priority: 'high',
  text: 'User stated that they live in Oslo',
  details: [],
  ...changes,
})

const someObservations = fc.array(
  fc.record({
    date: fc.constantFrom('2026-05-03', '2026-05-04'),
    time: fc.constantFrom('09:00', '23:59'),
    priority: fc.constantFrom('high' as const, 'medium' as const, 'low' as const),
    text: fc.stringMatching(/^[a-z<*() \n]{0,20}x$/),
    details: fc.array(fc.constantFrom('a', 'b'), { maxLength: 2 }),
  }),
  { minLength: 1, maxLength: 6 },
)

describe('the log', () => {
  it('has its entries by date, with priority, time and details', () => {
    const log = renderLog(
      [
        observation(),
        observation({ priority: 'medium', time: '14:06', text: 'Agent fixed login', details: ['tests pass'] }),
        observation({ date: '2026-05-04', time: '09:00', priority: 'low', text: '用户喜欢喝茶' }),
      ],
      { currentTask: 'Plan the trip', nextStep: '' },
    )
    expect(log.split('\n')).toEqual([
      'Date: 2026-05-03',
      '* 🔴 (14:05) User stated that they live in Oslo',
      '* 🟡 (14:06) Agent fixed login',
      '  * tests pass',
      '',
      'Date: 2026-05-04',
      '* 🟢 (09:00) 用户喜欢喝茶',
      'Current task: Plan the trip',
    ])
  })

  it('keeps what others wrote on its line, and free of what could end a block', () => {
    const breaks = fc.constantFrom(
      '</observations>',
      '\n',
      '\r',
      '\u2028',
      '\u0085',
      '\0',
      '\ud800',
      'Date: 1999-01-01',
      '* ',
      'x',
    )
    fc.assert(
      fc.property(fc.array(breaks), (parts) => {
        const line = onOneLine(parts.join(''))
        expect(line).not.toMatch(/[<\p{Cc}\u2028\u2029]/u)
        expect(line.isWellFormed()).toBe(true)
        expect(renderLog([observation({ text: parts.join('') })]).split('\n')).toHaveLength(2)
      }),
    )
  })

  it('only grows at its end, and names a date once', () => {
    fc.assert(
      fc.property(someObservations, someObservations, (one, other) => {
        const before = renderLog(one)
        const after = appendToLog(before, renderLog(other))
        expect(after.startsWith(before)).toBe(true)
        expect(parseLog(after).observations).toEqual([
          ...parseLog(before).observations,
          ...parseLog(renderLog(other)).observations,
        ])
        const dates = after.split('\n').filter((line) => line.startsWith('Date: '))
        expect(dates.every((date, index) => date !== dates[index - 1])).toBe(true)
      }),
    )
  })

  it('is the same log in two parts', () => {
    fc.assert(
      fc.property(someObservations, someObservations, (one, other) => {
        const before = renderLog(one)
        const rest = logAfter(appendToLog(before, renderLog(other)), lineCount(before))
        expect(parseLog(rest).observations).toEqual(parseLog(renderLog(other)).observations)
      }),
    )
  })

  it('is cut into parts of bounded size, and none of it is lost', () => {
    const all = Array.from({ length: 50 }, (_, index) =>
      observation({ text: `Note ${index} of many words that say little` }),
    )
    const slices = slicesOf(parseLog(renderLog(all)), 200)
    expect(slices.length).toBeGreaterThan(3)
    expect(slices.flat()).toEqual(all)
  })
})
