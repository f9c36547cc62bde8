import { describe, expect, it } from 'vitest'
import { DOT_PNG, GREETING, messageAnswers } from '../../../../tests/helpers/chat-streams.ts'
import type { ChatTurn } from '../../../domain/threads/chat-turn.ts'
import { JsonSpans, splice } from '../json-spans.ts'
import { messages as format } from './messages.ts'

interface Body {
  readonly system?: unknown
  readonly messages: readonly { readonly role: string; readonly content: unknown }[]
}

const read = (messages: unknown) => {
  const bytes = Buffer.from(JSON.stringify({ messages }))
  return format.read(bytes, new JsonSpans(bytes)).turns
}

function inject(body: string, block: string | undefined, history: readonly ChatTurn[] = []) {
  const bytes = Buffer.from(body)
  const { chunks } = splice(bytes, format.inject(bytes, new JsonSpans(bytes), { block, history }))
  return Buffer.concat(chunks).toString()
}

const injected = (body: unknown, history: readonly ChatTurn[]) =>
  (JSON.parse(inject(JSON.stringify(body), undefined, history)) as Body).messages

function answerOf(text: string) {
  const tap = format.tap(text.startsWith('{') ? 'application/json' : 'text/event-stream')
  tap.push(Buffer.from(text))
  return tap.answer()
}

const text = (value: string) => ({ type: 'text', text: value }) as const
const user = (value: string): ChatTurn => ({ role: 'user', parts: [text(value)] })
const said = (value: string): ChatTurn => ({ role: 'assistant', parts: [text(value)] })
const call = { id: 'toolu_5', name: 'look_up', arguments: '{"place":"Zürich","days":2}' }
const look: ChatTurn = { role: 'assistant', parts: [text('I look.')], toolCalls: [call] }
const found: ChatTurn = { role: 'tool', parts: [text('rain')], toolCallId: 'toolu_5' }
const use = { type: 'tool_use', id: 'toolu_5', name: 'look_up', input: { place: 'Zürich', days: 2 } }

describe('reading messages', () => {
  it('reads blocks of every kind, and leaves out what was only thought', () => {
    const png = { type: 'base64', media_type: 'image/png', data: DOT_PNG }
    const content = [
      text('Look:'),
      { type: 'image', source: png },
      { type: 'image', source: { type: 'url', url: 'https://example.org/a.png' } },
      { type: 'image', source: { type: 'file', file_id: 'file_1' } },
      { type: 'document', title: 'r.pdf', source: { type: 'base64', media_type: 'application/pdf', data: 'JVBERi0=' } },
      { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'grüß' } },
      { type: 'document', source: { type: 'url', url: 'https://example.org/b.pdf' } },
      { type: 'thinking', thinking: 'hm', signature: 's' },
    ]
    const thought = [
      { type: 'thinking', thinking: 'x', signature: 's' },
      { type: 'redacted_thinking', data: 'x' },
    ]
    const given = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content },
      { role: 'assistant', content: [...thought, text('I look.'), use] },
      { role: 'assistant', content: thought },
    ]
    expect(read(given)).toEqual([
      {
        role: 'user',
        parts: [
          text('Look:'),
          { type: 'file', kind: 'image', base64: DOT_PNG, mimeType: 'image/png' },
          { type: 'link', kind: 'image', target: 'https://example.org/a.png' },
          { type: 'link', kind: 'image', target: 'file_1' },
          { type: 'file', kind: 'pdf', base64: 'JVBERi0=', mimeType: 'application/pdf', name: 'r.pdf' },
          { type: 'file', kind: 'doc', base64: 'Z3LDvMOf', mimeType: 'text/plain' },
          { type: 'link', kind: 'doc', target: 'https://example.org/b.pdf' },
        ],
      },
      look,
    ])
  })

  it('makes turns of results of tools, before what else the message says', () => {
    const png = { type: 'base64', media_type: 'image/png', data: DOT_PNG }
    const content = [
      { type: 'tool_result', tool_use_id: 'toolu_5', content: [text('rain'), { type: 'image', source: png }] },
      { type: 'tool_result', tool_use_id: 'toolu_6', content: 'sun' },
      text('And now?'),
    ]
    expect(read([{ role: 'user', content }])).toEqual([
      {
        role: 'tool',
        toolCallId: 'toolu_5',
        parts: [text('rain'), { type: 'file', kind: 'image', base64: DOT_PNG, mimeType: 'image/png' }],
      },
      { role: 'tool', toolCallId: 'toolu_6', parts: [text('sun')] },
      user('And now?'),
    ])
  })

  it('takes what is malformed for nothing', () => {
    const content = [
      1,
      null,
      { type: 'image' },
      { type: 'image', source: { type: 'base64' } },
      { type: 'text', text: 1 },
    ]
    expect(read([null, 'x', { role: 'user' }, { role: 'user', content }, { role: 'assistant', content: {} }])).toEqual(
      [],
    )
  })
})

describe('adding memory to messages', () => {
  it('adds nothing to a request that continues a conversation which the provider holds', () => {
    const given = (thread: unknown) => JSON.stringify({ thread, messages: [{ role: 'user', content: 'And in Rome?' }] })
    const held = (body: string) => format.read(Buffer.from(body), new JsonSpans(Buffer.from(body))).serverState
    const continued = given({ type: 'continue', previous_message_id: 'msg_1' })
    expect([inject(continued, 'A block.', [user('Hi')]), held(continued)]).toEqual([continued, true])
    for (const other of [given({ type: 'create' }), given(null), given('continue')]) {
      expect(held(other)).toBe(false)
      expect(JSON.parse(inject(other, 'A block.'))).toMatchObject({ system: [{ type: 'text', text: 'A block.' }] })
    }
  })

  const block = { type: 'text', text: 'BLOCK' }
  const hi = '"messages":[{"role":"user","content":"Hi"}]'

  it('adds the block to the instructions, whatever their form, and leaves those as they are', () => {
    const cached = '{"type":"text", "text":"A","cache_control":{"type":"ephemeral"}}'
    const cases: readonly (readonly [string, string])[] = [
      [`{${hi}}`, `{"system":[${JSON.stringify(block)}],${hi}}`],
      [`{"system":null,${hi}}`, `{"system":[${JSON.stringify(block)}],${hi}}`],
      [`{"system":"",${hi}}`, `{"system":[${JSON.stringify(block)}],${hi}}`],
      [
        `{"system": "A\\u00e4",${hi}}`,
        `{"system": [{"type":"text","text":"A\\u00e4"},${JSON.stringify(block)}],${hi}}`,
      ],
      [`{${hi},"system":[ ${cached} ] }`, `{${hi},"system":[ ${cached} ,${JSON.stringify(block)}] }`],
      [`{${hi},"system":[]}`, `{${hi},"system":[${JSON.stringify(block)}]}`],
      [`{${hi},"system":7}`, `{${hi},"system":7}`],
    ]
    for (const [body, expected] of cases) {
      expect(inject(body, 'BLOCK')).toBe(expected)
      expect(inject(body, undefined)).toBe(body)
    }
  })

  it('gives results of tools directly after their calls, in one message, and the user first', () => {
    const second = { id: 'functions.clock:1', name: 'clock', arguments: '' }
    const history: ChatTurn[] = [
      said('Welcome back.'),
      user('Weather?'),
      { role: 'assistant', parts: [], toolCalls: [call, second] },
      found,
      { role: 'tool', parts: [], toolCallId: second.id },
      user('And?'),
    ]
    const body = { tools: [{ name: 'look_up' }], messages: [{ role: 'user', content: 'Hi' }] }
    expect(injected(body, history)).toEqual([
      { role: 'user', content: [text('[Earlier messages are not shown.]')] },
      { role: 'assistant', content: [text('Welcome back.')] },
      { role: 'user', content: [text('Weather?')] },
      { role: 'assistant', content: [use, { type: 'tool_use', id: 'functions_clock_1', name: 'clock', input: {} }] },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'toolu_5', content: [text('rain')] },
          { type: 'tool_result', tool_use_id: 'functions_clock_1' },
          text('And?'),
        ],
      },
      { role: 'user', content: 'Hi' },
    ])
  })

  it('keeps a call whose result comes now', () => {
    const result = { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_5', content: 'rain' }] }
    const body = { tools: [{ name: 'look_up' }], messages: [result] }
    expect(injected(body, [user('Weather?'), look])).toEqual([
      { role: 'user', content: [text('Weather?')] },
      { role: 'assistant', content: [text('I look.'), use] },
      result,
    ])
    expect(injected({ ...body, messages: [{ role: 'user', content: 'Hi' }] }, [user('Weather?'), look])[1]).toEqual({
      role: 'assistant',
      content: [text('I look.')],
    })
  })

  it('tells of tools in words where the request offers none', () => {
    expect(injected({ messages: [] }, [user('Weather?'), look, found])).toEqual([
      { role: 'user', content: [text('Weather?')] },
      { role: 'assistant', content: [text('I look.'), text(`[Call of look_up: ${call.arguments}]`)] },
      { role: 'user', content: [text('[Result of the tool]'), text('rain')] },
    ])
  })

  it('gives the files that the API takes', () => {
    const turn: ChatTurn = {
      role: 'user',
      parts: [
        { type: 'file', kind: 'image', base64: DOT_PNG, mimeType: 'image/png' },
        { type: 'file', kind: 'image', base64: 'PHN2Zz4=', mimeType: 'image/svg+xml' },
        { type: 'file', kind: 'pdf', base64: 'JVBERi0=', mimeType: 'application/pdf', name: 'r.pdf' },
        { type: 'file', kind: 'doc', base64: 'YSxi', mimeType: 'text/csv' },
        { type: 'file', kind: 'audio', base64: 'AAAA', mimeType: 'audio/wav' },
      ],
    }
    expect(injected({ messages: [] }, [turn])[0]?.content).toEqual([
      { type: 'image', source: { type: 'base64', media_type: 'image/png', data: DOT_PNG } },
      { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: 'JVBERi0=' }, title: 'r.pdf' },
      { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'a,b' } },
    ])
  })
})

describe('reading the answer of messages', () => {
  const complete = { isComplete: true, isTruncated: false }

  it('finds the same in a stream as in a whole answer', () => {
    const greeting = { turn: said(GREETING), finishReason: 'end_turn', ...complete }
    expect(answerOf(messageAnswers.json)).toEqual(greeting)
    expect(answerOf(messageAnswers.stream)).toEqual(greeting)
    expect(answerOf(messageAnswers.jsonTools)).toEqual({ turn: look, finishReason: 'tool_use', ...complete })
    expect(answerOf(messageAnswers.streamTools)).toEqual({
      turn: { ...look, parts: [] },
      finishReason: 'tool_use',
      ...complete,
    })
  })

  it('tells a failure, and what came before a break', () => {
    expect(answerOf(messageAnswers.jsonError)).toMatchObject({
      turn: undefined,
      finishReason: 'error',
      isComplete: false,
    })
    const turn = said('Grüß dich, Alex ')
    expect(answerOf(messageAnswers.streamError)).toMatchObject({ turn, finishReason: 'error', isComplete: false })
    expect(answerOf(messageAnswers.streamCut)).toMatchObject({ turn, finishReason: undefined, isComplete: false })
  })

  it('knows errors by the names of its API', () => {
    expect(format.errorBody('not_found', 'No such thread.')).toEqual({
      type: 'error',
      error: { type: 'not_found_error', message: 'No such thread.' },
    })
  })
})
