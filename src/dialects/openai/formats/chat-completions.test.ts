import { describe, expect, it } from 'vitest'
import { chatCompletionAnswers, DOT_PNG, GREETING, LOOKUP } from '../../../../tests/helpers/chat-streams.ts'
import type { ChatTurn } from '../../../domain/threads/chat-turn.ts'
import { JsonSpans, splice } from '../json-spans.ts'
import { chatCompletions } from './chat-completions.ts'

const read = (body: unknown) => {
  const bytes = Buffer.from(JSON.stringify(body))
  return chatCompletions.read(bytes, new JsonSpans(bytes))
}

function inject(body: string, block: string | undefined, history: readonly ChatTurn[] = []) {
  const bytes = Buffer.from(body)
  const { chunks } = splice(bytes, chatCompletions.inject(bytes, new JsonSpans(bytes), { block, history }))
  return Buffer.concat(chunks).toString()
}

function answerOf(text: string, contentType = text.startsWith('{') ? 'application/json' : 'text/event-stream') {
  const tap = chatCompletions.tap(contentType)
  tap.push(Buffer.from(text))
  return tap.answer()
}

const text = (value: string) => ({ type: 'text', text: value }) as const
const look = { role: 'assistant', parts: [], toolCalls: [LOOKUP] } as const
const found = { role: 'tool', parts: [text('rain')], toolCallId: LOOKUP.id } as const

describe('reading a chat completion', () => {
  it('reads texts, pictures, sounds, files and links of a user', () => {
    const content = [
      { type: 'text', text: 'Look:' },
      { type: 'image_url', image_url: { url: `data:image/png;base64,${DOT_PNG}`, detail: 'low' } },
      { type: 'image_url', image_url: { url: 'https://example.org/a.png' } },
      { type: 'input_audio', input_audio: { data: 'UklGRg==', format: 'wav' } },
      { type: 'file', file: { filename: 'report.pdf', file_data: 'data:application/pdf;base64,JVBERi0=' } },
      { type: 'file', file: { filename: 'table.csv', file_data: 'YSxi' } },
      { type: 'file', file: { file_id: 'file-77' } },
      { type: 'file', file: { filename: 'note.txt', file_data: 'data:text/plain,gr%C3%BC%C3%9F' } },
    ]
    expect(read({ messages: [{ role: 'user', content }] }).turns).toEqual([
      {
        role: 'user',
        parts: [
          text('Look:'),
          { type: 'file', kind: 'image', base64: DOT_PNG, mimeType: 'image/png' },
          { type: 'link', kind: 'image', target: 'https://example.org/a.png' },
          { type: 'file', kind: 'audio', base64: 'UklGRg==', mimeType: 'audio/wav' },
          { type: 'file', kind: 'pdf', base64: 'JVBERi0=', mimeType: 'application/pdf', name: 'report.pdf' },
          { type: 'file', kind: 'doc', base64: 'YSxi', name: 'table.csv' },
          { type: 'link', kind: 'doc', target: 'file-77' },
          { type: 'file', kind: 'doc', base64: 'Z3LDvMOf', mimeType: 'text/plain', name: 'note.txt' },
        ],
      },
    ])
  })

  it('reads calls of tools and their results, also the old ones', () => {
    const { id, ...called } = LOOKUP
    const messages = [
      { role: 'developer', content: 'Be brief.' },
      { role: 'assistant', content: null, tool_calls: [{ id, type: 'function', function: called }] },
      { role: 'tool', tool_call_id: id, content: [{ type: 'text', text: 'rain' }] },
      { role: 'assistant', content: 'Hm.', function_call: { name: 'clock', arguments: '{}' } },
      { role: 'function', name: 'clock', content: 'noon' },
      { role: 'assistant', refusal: 'No.', content: null },
    ]
    expect(read({ messages })).toEqual({
      systemRole: 'developer',
      serverState: false,
      turns: [
        look,
        found,
        { role: 'assistant', parts: [text('Hm.')], toolCalls: [{ id: 'clock', name: 'clock', arguments: '{}' }] },
        { role: 'tool', parts: [text('noon')], toolCallId: 'clock' },
        { role: 'assistant', parts: [text('No.')] },
      ],
    })
  })

  it('takes what is malformed for nothing', () => {
    const odd = [1, null, 'x', {}, { role: 'user' }, { role: 'user', content: 5 }, { role: 'critic', content: 'x' }]
    const parts = [
      null,
      7,
      { type: 'image_url' },
      { type: 'image_url', image_url: { url: 3 } },
      { type: 'file', file: 1 },
    ]
    const far = { type: 'image_url', image_url: { url: `https://example.org/${'a'.repeat(3_000)}` } }
    const broken = { type: 'image_url', image_url: { url: 'data:image/png;base64' } }
    expect(read({ messages: [...odd, { role: 'user', content: [...parts, far, broken] }] }).turns).toEqual([])
    expect(read({ messages: 'Hello' }).turns).toEqual([])
    expect(read({}).turns).toEqual([])
  })

  it('leaves out of a text what cannot be stored', () => {
    expect(read({ messages: [{ role: 'user', content: 'a\0b\ud800c' }] }).turns[0]?.parts).toEqual([text('ab\ufffdc')])
  })

  it('refuses messages that are given twice', () => {
    const bytes = Buffer.from('{"messages":[],"messages":[]}')
    expect(() => chatCompletions.read(bytes, new JsonSpans(bytes))).toThrow('occurs twice')
  })
})

describe('adding memory to a chat completion', () => {
  const history: ChatTurn[] = [
    {
      role: 'user',
      parts: [text('What is this?'), { type: 'file', kind: 'image', base64: DOT_PNG, mimeType: 'image/png' }],
    },
    { role: 'assistant', parts: [text('A dot.')] },
  ]

  it('puts the block and the history after the own instructions and leaves all else as it is', () => {
    const before = '{ "model":"m",\n "messages": [ {"role":"developer","content":"A"} , {"content":"B","role":"system"}'
    const after = ' ,\n {"role":"user", "content":"Hi 👋"} ], "x": 1.50 }'
    const changed = inject(before + after, 'BLOCK', history)
    expect(changed.startsWith(`${before},`)).toBe(true)
    expect(changed.endsWith(after)).toBe(true)
    expect((JSON.parse(changed) as { messages: unknown[] }).messages).toEqual([
      { role: 'developer', content: 'A' },
      { role: 'system', content: 'B' },
      { role: 'developer', content: 'BLOCK' },
      {
        role: 'user',
        content: [text('What is this?'), { type: 'image_url', image_url: { url: `data:image/png;base64,${DOT_PNG}` } }],
      },
      { role: 'assistant', content: 'A dot.' },
      { role: 'user', content: 'Hi 👋' },
    ])
  })

  it('stands first where there are no instructions, and alone where there are no messages', () => {
    expect(inject('{"messages":[{"role":"user","content":"Hi"}]}', 'B')).toBe(
      '{"messages":[{"role":"system","content":"B"},{"role":"user","content":"Hi"}]}',
    )
    expect(inject('{"messages":[ ]}', 'B')).toBe('{"messages":[{"role":"system","content":"B"} ]}')
  })

  it('changes nothing where there is nothing to add, or nowhere to put it', () => {
    for (const body of ['{"messages":[{"role":"user","content":"Hi"}]}', '{"messages":"Hi"}', '{}']) {
      expect(inject(body, undefined)).toBe(body)
    }
    expect(inject('{"messages":{"a":1}}', 'B', history)).toBe('{"messages":{"a":1}}')
  })

  it('keeps a call whose result comes now, and drops calls and results that are left alone', () => {
    const { id, ...called } = LOOKUP
    const sent = JSON.stringify({ messages: [{ role: 'tool', tool_call_id: id, content: 'rain' }] })
    const call = { role: 'assistant', content: null, tool_calls: [{ id, type: 'function', function: called }] }
    const messagesOf = (body: string, ...turns: ChatTurn[]) =>
      (JSON.parse(inject(body, undefined, turns)) as { messages: unknown[] }).messages
    const plain = '{"messages":[{"role":"user","content":"Hi"}]}'
    expect(messagesOf(sent, look)).toEqual([call, { role: 'tool', tool_call_id: id, content: 'rain' }])
    expect(messagesOf(plain, look)).toHaveLength(1)
    expect(messagesOf(plain, found)).toHaveLength(1)
    expect(messagesOf(plain, { ...look, parts: [text('I look.')] })[0]).toEqual({
      role: 'assistant',
      content: 'I look.',
    })
    const both: ChatTurn = { ...look, toolCalls: [LOOKUP, { id: 'call_2', name: 'clock', arguments: '{}' }] }
    expect(messagesOf(plain, both, { ...found, toolCallId: 'other' }, found, { ...found }).slice(0, -1)).toEqual([
      call,
      { role: 'tool', tool_call_id: id, content: 'rain' },
    ])
  })

  it('gives sounds and documents in their own parts, and no links', () => {
    const turn: ChatTurn = {
      role: 'user',
      parts: [
        { type: 'file', kind: 'audio', base64: 'AAAA', mimeType: 'audio/mpeg' },
        { type: 'file', kind: 'pdf', base64: 'JVBERi0=', mimeType: 'application/pdf', name: 'r.pdf' },
        { type: 'link', kind: 'image', target: 'https://example.org/gone.png' },
      ],
    }
    const { messages } = JSON.parse(inject('{"messages":[]}', undefined, [turn])) as { messages: unknown[] }
    expect(messages).toEqual([
      {
        role: 'user',
        content: [
          { type: 'input_audio', input_audio: { data: 'AAAA', format: 'mp3' } },
          { type: 'file', file: { filename: 'r.pdf', file_data: 'data:application/pdf;base64,JVBERi0=' } },
        ],
      },
    ])
  })
})

describe('reading the answer of a chat completion', () => {
  const clock = { id: 'call_9Qa', name: 'clock', arguments: '{}' }
  const dot = { type: 'file', kind: 'image', base64: DOT_PNG, mimeType: 'image/png' }
  const complete = { isComplete: true, isTruncated: false }

  it('finds the same in a stream as in a whole answer', () => {
    const greeting = { turn: { role: 'assistant', parts: [text(GREETING)] }, finishReason: 'stop', ...complete }
    expect(answerOf(chatCompletionAnswers.json)).toEqual(greeting)
    expect(answerOf(chatCompletionAnswers.stream)).toEqual(greeting)
    expect(answerOf(chatCompletionAnswers.streamOdd, 'Text/Event-Stream')).toEqual({
      ...greeting,
      finishReason: 'length',
    })

    const calls = {
      turn: { role: 'assistant', parts: [], toolCalls: [LOOKUP, clock] },
      finishReason: 'tool_calls',
      ...complete,
    }
    expect(answerOf(chatCompletionAnswers.jsonTools)).toEqual(calls)
    expect(answerOf(chatCompletionAnswers.streamTools)).toEqual(calls)

    const picture = {
      turn: { role: 'assistant', parts: [text('Here is a dot.'), dot] },
      finishReason: 'stop',
      ...complete,
    }
    expect(answerOf(chatCompletionAnswers.jsonPicture)).toEqual(picture)
    expect(answerOf(chatCompletionAnswers.streamPicture)).toEqual(picture)
  })

  it('tells a failure, and what came before a break', () => {
    expect(answerOf(chatCompletionAnswers.jsonError)).toMatchObject({
      turn: undefined,
      finishReason: 'error',
      isComplete: false,
    })
    const said = { role: 'assistant', parts: [text('Grüß dich, Alex ')] }
    expect(answerOf(chatCompletionAnswers.streamError)).toMatchObject({
      turn: said,
      finishReason: 'error',
      isComplete: false,
    })
    expect(answerOf(chatCompletionAnswers.streamCut)).toMatchObject({
      turn: said,
      finishReason: undefined,
      isComplete: false,
    })
    expect(answerOf(chatCompletionAnswers.json.slice(0, -1))).toMatchObject({ turn: undefined, isComplete: false })
  })

  it('keeps calls apart that all bear the index 0, and takes the first choice only', () => {
    const call = (id: string) => ({ tool_calls: [{ index: 0, id, function: { name: 'f', arguments: `["${id}"]` } }] })
    const chunks = [
      { choices: [{ index: 1, delta: { content: 'other' }, finish_reason: 'length' }] },
      { choices: [{ index: 0, delta: call('a') }] },
      { choices: [{ index: 0, delta: call('b') }] },
    ]
    const stream = chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('')
    expect(answerOf(stream)).toMatchObject({
      finishReason: undefined,
      turn: {
        parts: [],
        toolCalls: [
          { id: 'a', arguments: '["a"]' },
          { id: 'b', arguments: '["b"]' },
        ],
      },
    })
  })

  it('keeps what a spoken answer says', () => {
    const audio = { id: 'audio_1', data: 'UklGRg==', transcript: 'Hello.', expires_at: 1 }
    const whole = JSON.stringify({ choices: [{ message: { content: null, audio }, finish_reason: 'stop' }] })
    expect(answerOf(whole).turn?.parts).toEqual([text('Hello.'), { type: 'file', kind: 'audio', base64: 'UklGRg==' }])
  })
})
