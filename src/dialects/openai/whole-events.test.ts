import { describe, expect, it } from 'vitest'
import { WholeEvents } from './whole-events.ts'

const push = (events: WholeEvents, text: string) => events.push(Buffer.from(text))?.toString()

describe('an event stream that is held back to whole events', () => {
  it.each(['\n\n', '\r\n\r\n'])('passes with each end of an event (%j), however it is divided', (end) => {
    const stream = `data: a${end}data: b${end}data: c`
    for (let size = 1; size <= stream.length; size++) {
      const events = new WholeEvents()
      const passed: string[] = []
      for (let at = 0; at < stream.length; at += size) {
        const out = push(events, stream.slice(at, at + size))
        if (out === undefined) continue
        expect([size, out.endsWith(end), events.isCut]).toEqual([size, true, false])
        passed.push(out)
      }
      expect([size, passed.join(''), events.rest()?.toString()]).toEqual([size, stream.slice(0, -7), 'data: c'])
      expect(events.rest()).toBeUndefined()
    }
  })

  it('passes in parts where one event is very long', () => {
    const events = new WholeEvents()
    const part = 'x'.repeat(200 * 1024)
    expect(push(events, part)).toBeUndefined()
    expect([push(events, part)?.length, events.isCut]).toEqual([400 * 1024, true])
    expect([push(events, 'end\n\n'), events.isCut]).toEqual(['end\n\n', false])
  })

  it('takes in long events that come byte by byte in no more time than their length asks for', () => {
    const events = new WholeEvents()
    const byte = Buffer.from('x')
    for (let event = 0; event < 3; event++) {
      for (let at = 0; at < 200_000; at++) events.push(byte)
      expect(push(events, '\n\n')).toHaveLength(200_002)
    }
  })
})
