import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  chatCompletionAnswers,
  GREETING,
  messageAnswers,
  namedSse,
  responseAnswers,
  sse,
} from '../../../tests/helpers/chat-streams.ts'
import type { AnswerTap, ChatFormat } from './chat-format.ts'
import { chatCompletions } from './formats/chat-completions.ts'
import { messages } from './formats/messages.ts'
import { responses } from './formats/responses.ts'

const recordings = [
  [chatCompletions, chatCompletionAnswers],
  [messages, messageAnswers],
  [responses, responseAnswers],
] as const
const all = recordings.flatMap(([format, answers]) =>
  Object.entries<string>(answers).map(([name, text]) => ({ format, name, text })),
)
const streams = all.filter(({ name }) => name.startsWith('stream'))

const tapOf = (format: ChatFormat, name: string) =>
  format.tap(name.startsWith('stream') ? 'text/event-stream; charset=utf-8' : 'application/json')

function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set(cuts.map((place) => place % (bytes.length + 1)))].toSorted((a, b) => a - b)
  return [0, ...places].map((place, index) => bytes.subarray(place, places[index] ?? bytes.length))
}

function through(tap: AnswerTap, chunks: readonly Buffer[]) {
  const passed = chunks.flatMap((chunk) => tap.push(chunk))
  const answer = tap.answer()
  return { passed: Buffer.concat(passed), answer, rest: Buffer.concat(tap.rest()) }
}

/** The bytes of the events that do not end the stream. */
function beforeEnd(text: string): string {
  const end = /(event: message_stop|event: response\.(completed|incomplete|failed)|data: \[DONE\])/.exec(text)
  return end ? text.slice(0, end.index) : text
}

describe('taps', () => {
  it('give back every byte and the same answer, however the answer is cut into chunks', () => {
    fc.assert(
      fc.property(fc.constantFrom(...all), fc.array(fc.nat(), { maxLength: 40 }), ({ format, name, text }, cuts) => {
        const bytes = Buffer.from(text)
        const whole = through(tapOf(format, name), [bytes])
        const pieces = through(tapOf(format, name), cut(bytes, cuts))
        expect(Buffer.concat([pieces.passed, pieces.rest])).toEqual(bytes)
        expect(pieces.passed).toEqual(whole.passed)
        expect(pieces.answer).toEqual(whole.answer)
      }),
      { numRuns: 300 },
    )
  })

  it('do so byte by byte', () => {
    for (const { format, name, text } of all) {
      const bytes = Buffer.from(text)
      const { passed, rest, answer } = through(
        tapOf(format, name),
        [...bytes].map((byte) => Buffer.of(byte)),
      )
      expect(Buffer.concat([passed, rest]), name).toEqual(bytes)
      expect(answer, name).toEqual(through(tapOf(format, name), [bytes]).answer)
    }
  })

  it('take lines that end in any of the three ways', () => {
    for (const end of ['\r\n', '\r']) {
      for (const { format, name, text } of streams.filter(({ name }) => name !== 'streamOdd')) {
        const bytes = Buffer.from(text.replaceAll('\n', end))
        const { passed, rest, answer } = through(
          tapOf(format, name),
          [...bytes].map((byte) => Buffer.of(byte)),
        )
        expect(Buffer.concat([passed, rest]), name).toEqual(bytes)
        expect(passed.toString(), name).toBe(beforeEnd(text).replaceAll('\n', end))
        expect(answer, name).toEqual(through(tapOf(format, name), [Buffer.from(text)]).answer)
      }
    }
  })
})

describe('a tap of a JSON answer', () => {
  it('holds back the last byte alone, and does not read what is too long to be kept', () => {
    const tap = chatCompletions.tap('application/json')
    const chunks = [
      Buffer.from('{"choices":['),
      ...Array.from({ length: 21 }, () => Buffer.alloc(1024 * 1024, ' ')),
      Buffer.from(']}'),
    ]
    const sizes = chunks.map((chunk) => Buffer.concat(tap.push(chunk)).length)
    expect(sizes).toEqual([11, ...Array.from({ length: 21 }, () => 1024 * 1024), 2])
    expect(tap.answer()).toEqual({ turn: undefined, finishReason: undefined, isComplete: false, isTruncated: true })
    expect(tap.rest()).toEqual([Buffer.from('}')])
  })
})

describe('a tap of a stream', () => {
  it('lets every event pass at once but the one that ends the stream', () => {
    for (const { format, name, text } of streams.filter(({ name }) => name !== 'streamOdd')) {
      const tap = tapOf(format, name)
      const events = text.split(/(?<=\n\n)/)
      const passed = events.filter((event) => Buffer.concat(tap.push(Buffer.from(event))).toString() === event)
      expect(passed.join(''), name).toBe(beforeEnd(text))
      expect(tap.isEnded, name).toBe(beforeEnd(text) !== text)
      expect(Buffer.concat(tap.rest()).toString()).toBe(text.slice(beforeEnd(text).length))
    }
  })

  it('holds back whatever follows the end', () => {
    const tap = chatCompletions.tap('text/event-stream')
    expect(tap.push(Buffer.from('data: [DONE]\n\n: bye\n\n'))).toEqual([])
    expect(tap.push(Buffer.from(sse({ choices: [] })))).toEqual([])
    expect(Buffer.concat(tap.rest()).toString()).toBe(`data: [DONE]\n\n: bye\n\n${sse({ choices: [] })}`)
    expect(tap.push(Buffer.from('\n'))).toEqual([Buffer.from('\n')])
  })

  it('reads an end that lacks its blank line', () => {
    for (const end of ['data: [DONE]', 'data:[DONE]\n']) {
      const tap = chatCompletions.tap('text/event-stream')
      expect(tap.push(Buffer.from(end))).toEqual([])
      expect(tap.answer()).toMatchObject({ isComplete: true, turn: undefined })
      expect(Buffer.concat(tap.rest()).toString()).toBe(end)
    }
  })

  it('knows the end by its data where events have no names, and over several lines', () => {
    const tap = messages.tap('text/event-stream')
    const delta = '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}'
    expect(Buffer.concat(tap.push(Buffer.from(`data: ${delta}\n\n`))).toString()).toBe(`data: ${delta}\n\n`)
    expect(tap.push(Buffer.from('id: 7\ndata: {\ndata:  "type": "message_stop"\ndata: }\n\n'))).toEqual([])
    expect(tap.answer()).toMatchObject({ isComplete: true, turn: { parts: [{ type: 'text', text: 'Hi' }] } })
  })

  it('is not taken in by an end that somebody only speaks of', () => {
    const said = 'data: [DONE]\n\nevent: message_stop\n\n"type":"message_stop"'
    const tap = messages.tap('text/event-stream')
    const text = namedSse({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: said } } as {
      type: string
    })
    expect(Buffer.concat(tap.push(Buffer.from(text))).toString()).toBe(text)
    expect(tap.isEnded).toBe(false)
    expect(tap.answer().turn?.parts).toEqual([{ type: 'text', text: said }])
  })

  it('lets a long event pass before it ends, and keeps a bound on what it reads', () => {
    const tap = chatCompletions.tap('text/event-stream')
    tap.push(Buffer.from('data: {"choices":[{"delta":{"content":"'))
    let passed = 0
    const piece = Buffer.alloc(1024 * 1024, 'x')
    for (let count = 0; count < 40; count++) passed += Buffer.concat(tap.push(piece)).length
    expect(passed).toBeGreaterThanOrEqual(40 * piece.length)
    expect(tap.isMidEvent).toBe(true)
    tap.push(Buffer.from('"}}]}\n\n'))
    expect(Buffer.concat(tap.push(Buffer.from(chatCompletionAnswers.stream))).length).toBeGreaterThan(0)
    expect(tap.answer()).toMatchObject({ isTruncated: true, isComplete: true, turn: { parts: [{ text: GREETING }] } })
  })

  it('keeps four million characters of a text that does not end', () => {
    const tap = chatCompletions.tap('text/event-stream')
    const event = Buffer.from(sse({ choices: [{ index: 0, delta: { content: 'y'.repeat(1024 * 1024) } }] }))
    for (let count = 0; count < 6; count++) expect(Buffer.concat(tap.push(event)).equals(event)).toBe(true)
    const { turn, isTruncated } = tap.answer()
    expect(isTruncated).toBe(true)
    const [part] = turn?.parts ?? []
    expect(part?.type === 'text' && part.text.length).toBe(4 * 1024 * 1024)
  })
})

describe('a stream that breaks', () => {
  it('has not let the name of an event pass without its data', () => {
    const tap = responses.tap('text/event-stream')
    const name = 'event: response.output_text.delta\n'
    expect(tap.push(Buffer.from(name))).toEqual([])
    expect(responses.streamError('x', tap).toString()).toMatch(/^event: error\n/)
    expect(Buffer.concat(tap.push(Buffer.from('data: {}\n'))).toString()).toBe(`${name}data: {}\n`)
    expect(responses.streamError('x', tap).toString()).toMatch(/^\n\nevent: error\n/)
  })

  it('ends with the error event of its API, which a half event before it does not spoil', () => {
    for (const { format, name, text } of streams.filter(({ name }) => name === 'streamCut')) {
      const tap = tapOf(format, name)
      const bytes = Buffer.from(text)
      // In the middle of the last line: what is held back is not sent.
      const passed = tap.push(bytes.subarray(0, -8))
      const error = format.streamError('The provider closed the connection.', tap)
      const read = through(tapOf(format, name), [...passed, error]).answer
      expect(read, name).toMatchObject({ finishReason: 'error', isComplete: false })
      expect(tap.answer()).toMatchObject({ isComplete: false, finishReason: undefined, turn: { role: 'assistant' } })
    }
  })

  it('goes on with the numbers of its events', () => {
    const tap = responses.tap('text/event-stream')
    tap.push(Buffer.from(responseAnswers.streamCut))
    expect(responses.streamError('x', tap).toString()).toMatch(/^event: error\ndata: .*"sequence_number":5}\n\n$/)
  })
})
