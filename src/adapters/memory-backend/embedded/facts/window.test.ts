import { describe, expect, it } from 'vitest'
import { estimateTokens } from '../../../../text/estimate-tokens.ts'
import { firstWindow, type SaidPassage } from './window.ts'

const said = (timestamp: number, body: string, more: Partial<SaidPassage> = {}): SaidPassage => ({
  timestamp,
  speaker: 'Ada',
  role: 'user',
  body,
  ...more,
})
const long = 'The committee talked about the observatory. '.repeat(100)

describe('a window', () => {
  it('holds the passages of a message together, and what came before apart', () => {
    const window = firstWindow([said(5, 'One.'), said(5, 'Two.'), said(6, 'Three.')], [said(1, 'Before.')], true)
    expect(window?.messages.map(({ timestamp, text }) => [timestamp, text])).toEqual([
      [5, 'One.\n\nTwo.'],
      [6, 'Three.'],
    ])
    expect(window?.earlier.map(({ text }) => text)).toEqual(['Before.'])
    expect(window?.through).toBe(6)
  })

  it('leaves a message that may lack passages to the next one', () => {
    expect(firstWindow([said(5, 'One.'), said(6, 'Two')], [], false)?.through).toBe(5)
    expect(firstWindow([said(5, 'One.')], [], false)?.through).toBe(5)
  })

  it('is bounded in tokens and messages, but never empty', () => {
    const window = firstWindow(
      Array.from({ length: 20 }, (_, index) => said(index + 1, long)),
      [],
      true,
    )
    expect(window?.messages.length).toBeGreaterThan(1)
    expect(window?.messages.length).toBeLessThan(6)
    const [huge] = firstWindow([said(1, long.repeat(20))], [], true)?.messages ?? []
    expect(estimateTokens(huge?.text ?? '')).toBeLessThan(1_100)
    const short = Array.from({ length: 500 }, (_, index) => said(index + 1, 'Yes.'))
    expect(firstWindow(short, [], true)?.messages.length).toBe(60)
  })

  it('passes over what tools answered, and knows when nothing was said', () => {
    const window = firstWindow([said(5, '{}', { role: 'tool' })], [], true)
    expect(window).toEqual({ earlier: [], messages: [], through: 5 })
    expect(firstWindow([], [], true)).toBeUndefined()
  })
})
