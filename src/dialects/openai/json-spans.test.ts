import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { JsonSpanError, JsonSpans, splice } from './json-spans.ts'

const spansOf = (text: string) => new JsonSpans(Buffer.from(text))
const valueOf = (text: string, name: string) => {
  const spans = spansOf(text)
  const span = spans.member(name)
  return span && spans.parse(span)
}
const joined = (chunks: readonly Buffer[]) => Buffer.concat(chunks).toString()

/** Objects as text, with white space where JSON allows it. */
const objects = fc
  .tuple(
    fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue(), { noNullPrototype: true }),
    fc.constantFrom(0, 1, '\t', '\r\n '),
  )
  .map(([value, indent]) => ({
    value: value as Record<string, unknown>,
    text: JSON.stringify(value, undefined, indent),
  }))

describe('JsonSpans', () => {
  it('finds the values that JSON.parse finds', () => {
    fc.assert(
      fc.property(objects, ({ value, text }) => {
        const spans = spansOf(text)
        for (const name of Object.keys(value).filter((key) => Buffer.byteLength(JSON.stringify(key)) <= 200)) {
          const span = spans.member(name)
          if (!span) return false
          expect(spans.parse(span)).toEqual((JSON.parse(text) as Record<string, unknown>)[name])
        }
        return true
      }),
      { numRuns: 100 },
    )
  })

  it('takes exactly the texts that JSON.parse takes for an object, whatever is broken in them', () => {
    const broken = fc
      .tuple(objects, fc.nat(), fc.constantFrom('', '{', '}', '[', ']', ',', ':', '"', '1', '-', '.', 'e', 'tru', ' '))
      .map(([{ text }, at, put]) => text.slice(0, at % text.length) + put + text.slice((at % text.length) + 1))
      // What stands in strings is not looked at.
      .filter((text) => Buffer.from(text).every((byte) => byte >= 0x20 && byte !== 0x5c))
    fc.assert(
      fc.property(broken, (text) => {
        let isObject = true
        try {
          const value: unknown = JSON.parse(text)
          isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
        } catch {
          isObject = false
        }
        if (isObject) spansOf(text)
        else expect(() => spansOf(text)).toThrow(JsonSpanError)
      }),
      { numRuns: 150 },
    )
  })

  it('leaves every other byte as it was when the model is replaced', () => {
    fc.assert(
      fc.property(objects, fc.string(), fc.string(), ({ value, text }, before, model) => {
        const body = JSON.stringify({ ...value, model: before })
        const bytes = Buffer.from(body)
        const span = new JsonSpans(bytes).member('model')
        if (!span) return false
        const { chunks, length } = splice(bytes, [{ ...span, text: JSON.stringify(model) }])
        const changed = Buffer.concat(chunks)
        expect(length).toBe(changed.length)
        expect(changed.subarray(0, span.start)).toEqual(bytes.subarray(0, span.start))
        expect(changed.subarray(changed.length - (bytes.length - span.end))).toEqual(bytes.subarray(span.end))
        expect(JSON.parse(changed.toString())).toEqual({ ...JSON.parse(body), model })
        return text.length > 0
      }),
      { numRuns: 100 },
    )
  })

  it('reads names with escapes, a BOM, and space of any kind', () => {
    expect(valueOf('\uFEFF \r\n\t{ "a" : [ ] , "mod\\u0065l"\n:\t"x" }\n', 'model')).toBe('x')
  })

  it('refuses a member that occurs twice only if it is asked for, however its name is written', () => {
    const spans = spansOf('{"model":1,"mod\\u0065l":2,"n":3,"n":4,"ok":5}')
    expect(() => spans.member('model')).toThrow(expect.objectContaining({ name: 'JsonSpanError', position: 24 }))
    expect(spans.parse(spans.member('ok') ?? { start: 0, end: 0 })).toBe(5)
  })

  it('finds members and elements inside', () => {
    const spans = spansOf('{"messages":[ {"role":"a","role":"system"} , [1],"x\\\\", {} ]}')
    const messages = spans.member('messages') ?? { start: 0, end: 0 }
    const elements = [...spans.elements(messages)]
    expect(elements.map((element) => spans.parse(element))).toEqual([{ role: 'system' }, [1], 'x\\', {}])
    const role = spans.memberOf(elements[0] ?? messages, 'role')
    expect(role && spans.parse(role)).toBe('system')
    expect([...spans.elements(elements[0] ?? messages)]).toEqual([])
    expect(spans.memberOf(messages, 'role')).toBeUndefined()
  })

  it('says where a text is at fault', () => {
    const faults: Record<string, number> = {
      '': 0,
      '[]': 0,
      '{"a":1}x': 7,
      '{"a":01}': 5,
      '{"a":"b': 5,
      '{"a":[1,]}': 8,
      '{"a" 1}': 5,
    }
    for (const [text, position] of Object.entries(faults)) {
      expect(() => spansOf(text), text).toThrow(expect.objectContaining({ name: 'JsonSpanError', position }))
    }
  })

  it('refuses what nests too deep or has too many members', () => {
    const deep = (levels: number) => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`
    expect(() => spansOf(deep(500))).not.toThrow()
    expect(() => spansOf(deep(501))).toThrow('nests too deep')
    expect(() => spansOf(deep(1_000_000))).toThrow('nests too deep')
    const many = (count: number) => `{${Array.from({ length: count }, (_, index) => `"${index}":0`).join()}}`
    expect(() => spansOf(many(1_000))).not.toThrow()
    expect(() => spansOf(many(1_001))).toThrow('too many members')
    // In all members together, at any depth.
    const values = (count: number) => `{"a":[${'0,'.repeat(100_000)}0],"b":{"c":[${'{"d":0},'.repeat(count)}0]}}`
    expect(() => spansOf(values(70_000))).not.toThrow()
    expect(() => spansOf(values(80_000))).toThrow('too many values')
  })

  it('reads strings in a time that grows with their length alone', () => {
    const size = 2_000_000
    for (const filler of ['\\\\', '\\"', 'A', '\\\\\\"', 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\\"']) {
      const text = `{"a":"${filler.repeat(size / filler.length)}","model":"m"}`
      const started = performance.now()
      expect(spansOf(text).text('model')).toBe('m')
      // A quadratic search would take minutes.
      expect(performance.now() - started).toBeLessThan(5_000)
    }
  })

  it('adds a member to an object, empty or not', () => {
    for (const text of ['{}', ' { "a" : 1 }']) {
      const bytes = Buffer.from(text)
      const { chunks } = splice(bytes, [new JsonSpans(bytes).addMember('system', '"x"')])
      expect(JSON.parse(joined(chunks))).toEqual({ system: 'x', ...JSON.parse(text) })
    }
  })
})

describe('splice', () => {
  it('makes several edits, in any order, and shares what it leaves', () => {
    const bytes = Buffer.from('0123456789')
    const edits = [
      { start: 8, end: 9, text: '' },
      { start: 2, end: 2, text: 'a' },
      { start: 2, end: 4, text: 'b' },
    ]
    const { chunks, length } = splice(bytes, edits)
    expect(joined(chunks)).toBe('01ab45679')
    expect(length).toBe(9)
    expect(chunks[0]?.buffer).toBe(bytes.buffer)
    expect(() =>
      splice(bytes, [
        { start: 0, end: 3, text: '' },
        { start: 2, end: 4, text: '' },
      ]),
    ).toThrow(RangeError)
  })
})
