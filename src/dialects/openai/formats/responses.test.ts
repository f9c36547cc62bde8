import { describe, expect, it } from 'vitest'
import { DOT_PNG, GREETING, LOOKUP, responseAnswers } from '../../../../tests/helpers/chat-streams.ts'
import type { ChatTurn } from '../../../domain/threads/chat-turn.ts'
import { JsonSpans, splice } from '../json-spans.ts'
import { responses } from './responses.ts'

const read = (body: unknown) => {
  const bytes = Buffer.from(JSON.stringify(body))
  return responses.read(bytes, new JsonSpans(bytes))
}

function inject(body: string, block: string | undefined, history: readonly ChatTurn[] = []) {
  const bytes = Buffer.from(body)
  const { chunks } = splice(bytes, responses.inject(bytes, new JsonSpans(bytes), { block, history }))
  return Buffer.concat(chunks).toString()
}

function answerOf(text: string) {
  const tap = responses.tap(text.startsWith('{') ? 'application/json' : 'text/event-stream')
  tap.push(Buffer.from(text))
  return tap.answer()
}

const text = (value: string) => ({ type: 'text', text: value }) as const
const said = (value: string): ChatTurn => ({ role: 'assistant', parts: [text(value)] })
const callItem = { type: 'function_call', call_id: LOOKUP.id, name: LOOKUP.name, arguments: LOOKUP.arguments }
const outputItem = { type: 'function_call_output', call_id: LOOKUP.id, output: 'rain' }
const found: ChatTurn = { role: 'tool', parts: [text('rain')], toolCallId: LOOKUP.id }

describe('reading a request for a response', () => {
  it('reads a text, and items of every kind; what the assistant did at once is one turn', () => {
    expect(read({ input: 'Hi' }).turns).toEqual([{ role: 'user', parts: [text('Hi')] }])
    const content = [
      { type: 'input_text', text: 'Look:' },
      { type: 'input_image', detail: 'auto', image_url: `data:image/png;base64,${DOT_PNG}` },
      { type: 'input_image', detail: 'auto', file_id: 'file-1' },
      { type: 'input_file', filename: 'r.pdf', file_data: 'data:application/pdf;base64,JVBERi0=' },
      { type: 'input_file', file_url: 'https://example.org/b.pdf' },
    ]
    const input = [
      { role: 'developer', content: 'Be brief.' },
      { type: 'message', role: 'user', content },
      { type: 'reasoning', id: 'rs_1', summary: [] },
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'I look.', annotations: [] }] },
      callItem,
      { type: 'item_reference', id: 'msg_9' },
      outputItem,
      { type: 'image_generation_call', id: 'ig_1', status: 'completed', result: DOT_PNG },
      { role: 'assistant', content: 'Here.' },
      null,
    ]
    expect(read({ input })).toEqual({
      systemRole: 'developer',
      serverState: false,
      turns: [
        {
          role: 'user',
          parts: [
            text('Look:'),
            { type: 'file', kind: 'image', base64: DOT_PNG, mimeType: 'image/png' },
            { type: 'link', kind: 'image', target: 'file-1' },
            { type: 'file', kind: 'pdf', base64: 'JVBERi0=', mimeType: 'application/pdf', name: 'r.pdf' },
            { type: 'link', kind: 'doc', target: 'https://example.org/b.pdf' },
          ],
        },
        { role: 'assistant', parts: [text('I look.')], toolCalls: [LOOKUP] },
        found,
        {
          role: 'assistant',
          parts: [{ type: 'file', kind: 'image', base64: DOT_PNG, mimeType: 'image/png' }, text('Here.')],
        },
      ],
    })
  })

  it('sees where the provider holds the conversation', () => {
    expect(read({ input: 'Hi', previous_response_id: 'resp_1' }).serverState).toBe(true)
    expect(read({ input: 'Hi', conversation: { id: 'conv_1' } }).serverState).toBe(true)
    expect(read({ input: 'Hi', previous_response_id: null, conversation: null }).serverState).toBe(false)
  })
})

describe('adding memory to a request for a response', () => {
  const history: ChatTurn[] = [
    { role: 'user', parts: [text('This?'), { type: 'file', kind: 'image', base64: DOT_PNG, mimeType: 'image/png' }] },
    { role: 'assistant', parts: [text('I look.')], toolCalls: [LOOKUP] },
    found,
    said('A dot.'),
  ]
  const rendered = [
    {
      role: 'user',
      content: [
        { type: 'input_text', text: 'This?' },
        { type: 'input_image', detail: 'auto', image_url: `data:image/png;base64,${DOT_PNG}` },
      ],
    },
    { role: 'assistant', content: 'I look.' },
    callItem,
    outputItem,
    { role: 'assistant', content: 'A dot.' },
  ]

  it('makes a list of an input that is a text', () => {
    const changed = inject('{"model":"m","input": "Hi \\u00e4" }', 'BLOCK', history)
    expect(changed.startsWith('{"model":"m","input": [{"role":"system","content":"BLOCK"},')).toBe(true)
    expect(changed.endsWith(',{"role":"user","content":"Hi \\u00e4"}] }')).toBe(true)
    const { input } = JSON.parse(changed) as { input: unknown[] }
    expect(input.slice(1, -1)).toEqual(rendered)
  })

  it('puts the items after the own instructions', () => {
    const first = '{"input":[{"role":"developer","content":"A"}'
    const rest = ', {"role":"user","content":"Hi"}]}'
    const changed = inject(first + rest, 'BLOCK', [said('A dot.')])
    expect(changed).toBe(
      `${first},{"role":"developer","content":"BLOCK"},{"role":"assistant","content":"A dot."}${rest}`,
    )
  })

  it('brings an input where there was none, and changes nothing where nothing is to be added', () => {
    expect(inject('{"prompt":{"id":"p"}}', 'B')).toBe('{"input":[{"role":"system","content":"B"}],"prompt":{"id":"p"}}')
    for (const body of ['{"input":"Hi"}', '{"input":[ ]}', '{}']) expect(inject(body, undefined)).toBe(body)
    expect(inject('{"input":7}', 'B')).toBe('{"input":7}')
  })

  it('keeps a call whose result comes now', () => {
    const call: ChatTurn = { role: 'assistant', parts: [], toolCalls: [LOOKUP] }
    expect(JSON.parse(inject(JSON.stringify({ input: [outputItem] }), undefined, [call]))).toEqual({
      input: [callItem, outputItem],
    })
    expect(inject('{"input":"Hi"}', undefined, [call])).toBe('{"input":"Hi"}')
  })
})

describe('reading the answer of a response', () => {
  const complete = { finishReason: 'completed', isComplete: true, isTruncated: false }
  const dot = { type: 'file', kind: 'image', base64: DOT_PNG, mimeType: 'image/png' }
  const call = { role: 'assistant', parts: [], toolCalls: [LOOKUP] }

  it('finds the same in a stream as in a whole answer', () => {
    expect(answerOf(responseAnswers.json)).toEqual({ turn: said(GREETING), ...complete })
    expect(answerOf(responseAnswers.stream)).toEqual({ turn: said(GREETING), ...complete })
    expect(answerOf(responseAnswers.jsonTools)).toEqual({ turn: { ...call, parts: [text('I look.')] }, ...complete })
    expect(answerOf(responseAnswers.streamTools)).toEqual({ turn: call, ...complete })
    const picture = { turn: { role: 'assistant', parts: [dot, text('Here is a dot.')] }, ...complete }
    expect(answerOf(responseAnswers.jsonPicture)).toEqual(picture)
    expect(answerOf(responseAnswers.streamPicture)).toEqual(picture)
  })

  it('takes the pieces where the last event is missing, or tells nothing', () => {
    const withoutEnd = (stream: string) => stream.slice(0, stream.indexOf('event: response.completed'))
    for (const [stream, turn] of [
      [responseAnswers.stream, said(GREETING)],
      [responseAnswers.streamTools, call],
      [responseAnswers.streamPicture, { role: 'assistant', parts: [dot, text('Here is a dot.')] }],
    ] as const) {
      expect(answerOf(withoutEnd(stream))).toMatchObject({ turn, isComplete: false })
      const bare = { type: 'response.completed', response: { status: 'completed', output: [] } }
      const ended = `${withoutEnd(stream)}event: response.completed\ndata: ${JSON.stringify(bare)}\n\n`
      expect(answerOf(ended)).toEqual({ turn, ...complete })
    }
  })

  it('tells why it is incomplete, and that it failed', () => {
    expect(answerOf(responseAnswers.streamIncomplete)).toMatchObject({
      turn: said('Grüß dich, '),
      finishReason: 'max_output_tokens',
      isComplete: true,
    })
    expect(answerOf(responseAnswers.streamFailed)).toMatchObject({ finishReason: 'failed', isComplete: false })
    expect(answerOf(responseAnswers.streamError)).toMatchObject({ finishReason: 'error', isComplete: false })
    expect(answerOf('{"status":"queued","output":[]}')).toMatchObject({ finishReason: undefined, isComplete: false })
  })
})
