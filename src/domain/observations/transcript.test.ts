import { describe, expect, it } from 'vitest'
import { gapMarker, transcriptItems } from './transcript.ts'

const minute = 60_000
const at = (time: string) => Date.parse(`2026-05-03T${time}Z`)
const message = (text: string, time: string) => ({ id: text, role: 'user' as const, text, at: at(time) })

describe('what the Observer reads', () => {
  it('says when, and who', () => {
    expect(transcriptItems([message('I moved', '14:05:59')], undefined)).toEqual(['2026-05-03 14:05 user: I moved'])
  })

  it('tells of pauses, also of the one before its first message', () => {
    const items = transcriptItems(
      [message('a', '14:00:00'), message('b', '14:09:59'), message('c', '14:19:59')],
      at('12:00:00'),
    )
    expect(items).toEqual([
      '[2 hours later] 2026-05-03 14:00 user: a',
      '2026-05-03 14:09 user: b',
      '[10 minutes later] 2026-05-03 14:19 user: c',
    ])
  })

  it.each([
    [10 * minute - 1, undefined],
    [10 * minute, '10 minutes later'],
    [60 * minute, '1 hour later'],
    [24 * 60 * minute - 1, '23 hours later'],
    [24 * 60 * minute, '1 day later'],
    [49 * 60 * minute, '2 days later'],
    [-minute, undefined],
  ])('%i ms: %s', (ms, marker) => expect(gapMarker(ms)).toBe(marker))

  it('has of a long message the beginning and the end', () => {
    const [item = ''] = transcriptItems([message(`begin ${'x'.repeat(50_000)} end`, '14:00:00')], undefined)
    expect(item).toMatch(/^2026-05-03 14:00 user: begin x+\n\[… 34010 characters are left out …\]\nx+ end$/)
  })
})
