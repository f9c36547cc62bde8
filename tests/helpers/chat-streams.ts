/** Answers of the chat APIs as their servers send them: same shapes and order of events, texts of our own. */

/** A red dot: a whole PNG of one pixel. */
export const DOT_PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=='

export const GREETING = 'Grüß dich, Alex 👋 — 你好!\nHow can I help?'
const PIECES = ['Grüß dich, ', 'Alex ', '👋 — 你', '好!\n', 'How can I help?']

/** Data without an event name, as in chat completions. */
export function sse(...payloads: readonly unknown[]): string {
  return payloads.map((data) => `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`).join('')
}

/** Events that bear the name which their data has as `type`. */
export function namedSse(...payloads: readonly { readonly type: string }[]): string {
  return payloads.map((data) => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`).join('')
}

export const LOOKUP = { id: 'call_7Kd', name: 'look_up', arguments: '{"place":"Zürich","days":2}' }
const CLOCK = { id: 'call_9Qa', name: 'clock', arguments: '{}' }

const completion = { id: 'chatcmpl-A1', created: 1_790_000_000, model: 'test-model', system_fingerprint: 'fp_1' }
const usage = { prompt_tokens: 21, completion_tokens: 9, total_tokens: 30 }

function chunk(delta: unknown, finish_reason: string | null = null) {
  const choices = [{ index: 0, delta, logprobs: null, finish_reason }]
  return { ...completion, object: 'chat.completion.chunk', choices }
}

function wholeCompletion(message: object, finish_reason: string) {
  const choices = [
    { index: 0, message: { role: 'assistant', refusal: null, ...message }, logprobs: null, finish_reason },
  ]
  return JSON.stringify({ ...completion, object: 'chat.completion', choices, usage }, undefined, 2)
}

function calls(...all: readonly (typeof LOOKUP)[]) {
  return all.map(({ id, ...called }) => ({ id, type: 'function', function: called }))
}

const picture = { type: 'image_url', image_url: { url: `data:image/png;base64,${DOT_PNG}` } }

export const chatCompletionAnswers = {
  json: wholeCompletion({ content: GREETING }, 'stop'),
  jsonTools: wholeCompletion({ content: null, tool_calls: calls(LOOKUP, CLOCK) }, 'tool_calls'),
  jsonPicture: wholeCompletion({ content: 'Here is a dot.', images: [picture] }, 'stop'),
  jsonError: JSON.stringify({ error: { message: 'The model is overloaded.', type: 'server_error', code: null } }),
  stream: sse(
    chunk({ role: 'assistant', content: '', refusal: null }),
    ...PIECES.map((content) => chunk({ content })),
    chunk({}, 'stop'),
    { ...completion, object: 'chat.completion.chunk', choices: [], usage },
    '[DONE]',
  ),
  streamTools: sse(
    chunk({ role: 'assistant', content: null }),
    chunk({
      tool_calls: [{ index: 0, id: LOOKUP.id, type: 'function', function: { name: LOOKUP.name, arguments: '' } }],
    }),
    chunk({ tool_calls: [{ index: 0, function: { arguments: LOOKUP.arguments.slice(0, 11) } }] }),
    chunk({ tool_calls: [{ index: 0, function: { arguments: LOOKUP.arguments.slice(11) } }] }),
    chunk({
      tool_calls: [{ index: 1, id: CLOCK.id, type: 'function', function: { name: CLOCK.name, arguments: '{}' } }],
    }),
    chunk({}, 'tool_calls'),
    '[DONE]',
  ),
  streamPicture: sse(
    chunk({ role: 'assistant', content: 'Here is a dot.' }),
    chunk({ images: [picture] }),
    chunk({}, 'stop'),
    '[DONE]',
  ),
  /** Comments to keep the connection open, other line ends, and no `[DONE]`. */
  streamOdd: `: PROCESSING\r\n\r\n${sse(...PIECES.map((content) => chunk({ content })), chunk({}, 'length')).replaceAll('\n', '\r\n')}`,
  /** Breaks off without an end. */
  streamCut: sse(...PIECES.slice(0, 2).map((content) => chunk({ content }))),
  streamError: sse(...PIECES.slice(0, 2).map((content) => chunk({ content })), {
    error: { message: 'The model is overloaded.', type: 'server_error', param: null, code: null },
  }),
} as const

const TOOL_INPUT = { place: 'Zürich', days: 2 }

function wholeMessage(content: readonly object[], stop_reason: string | null) {
  const tokens = { input_tokens: 21, output_tokens: stop_reason ? 9 : 1 }
  return {
    id: 'msg_A1',
    type: 'message',
    role: 'assistant',
    model: 'test-model',
    content,
    stop_reason,
    stop_sequence: null,
    usage: tokens,
  }
}

function blockEvents(index: number, start: object, deltas: readonly object[]) {
  return [
    { type: 'content_block_start', index, content_block: start },
    ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })),
    { type: 'content_block_stop', index },
  ]
}

function messageEvents(stop_reason: string, ...blocks: readonly { readonly type: string }[]) {
  return [
    { type: 'message_start', message: wholeMessage([], null) },
    { type: 'ping' },
    ...blocks,
    { type: 'message_delta', delta: { stop_reason, stop_sequence: null }, usage: { output_tokens: 9 } },
    { type: 'message_stop' },
  ]
}

const greetingBlock = blockEvents(
  1,
  { type: 'text', text: '' },
  PIECES.map((text) => ({ type: 'text_delta', text })),
)
const thinkingBlock = blockEvents(0, { type: 'thinking', thinking: '', signature: '' }, [
  { type: 'thinking_delta', thinking: 'Somebody greets me.' },
  { type: 'signature_delta', signature: 'c2lnbmVk' },
])
const toolBlock = blockEvents(0, { type: 'tool_use', id: 'toolu_5', name: 'look_up', input: {} }, [
  { type: 'input_json_delta', partial_json: '' },
  { type: 'input_json_delta', partial_json: '{"place": "Zü' },
  { type: 'input_json_delta', partial_json: 'rich", "days": 2}' },
])
const overloaded = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }

export const messageAnswers = {
  json: JSON.stringify(wholeMessage([{ type: 'text', text: GREETING, citations: null }], 'end_turn')),
  jsonTools: JSON.stringify(
    wholeMessage(
      [
        { type: 'text', text: 'I look.' },
        { type: 'tool_use', id: 'toolu_5', name: 'look_up', input: TOOL_INPUT },
      ],
      'tool_use',
    ),
  ),
  jsonError: JSON.stringify(overloaded),
  stream: namedSse(...messageEvents('end_turn', ...thinkingBlock, ...greetingBlock)),
  streamTools: namedSse(...messageEvents('tool_use', ...toolBlock)),
  streamCut: namedSse(...messageEvents('end_turn', ...greetingBlock).slice(0, 5)),
  streamError: namedSse(...messageEvents('end_turn', ...greetingBlock).slice(0, 5), overloaded),
} as const

function wholeResponse(status: string, output: readonly object[], more: object = {}) {
  return {
    id: 'resp_A1',
    object: 'response',
    created_at: 1_790_000_000,
    status,
    model: 'test-model',
    output,
    error: null,
    incomplete_details: null,
    usage: status === 'in_progress' ? null : { input_tokens: 21, output_tokens: 9, total_tokens: 30 },
    ...more,
  }
}

function textItem(text: string, status = 'completed') {
  const content = [{ type: 'output_text', text, annotations: [], logprobs: [] }]
  return { id: 'msg_1', type: 'message', status, role: 'assistant', content }
}

const reasoningItem = { id: 'rs_1', type: 'reasoning', summary: [], encrypted_content: 'c2VjcmV0' }
const callItem = {
  id: 'fc_1',
  type: 'function_call',
  status: 'completed',
  call_id: LOOKUP.id,
  name: LOOKUP.name,
  arguments: LOOKUP.arguments,
}
const imageItem = {
  id: 'ig_1',
  type: 'image_generation_call',
  status: 'completed',
  output_format: 'png',
  result: DOT_PNG,
}

/** The events of a response: each text and argument piece by piece, then all again in the last event. */
function responseEvents(last: string, final: ReturnType<typeof wholeResponse>, pieces: readonly string[] = PIECES) {
  const events: { type: string }[] = [event('response.created', { response: wholeResponse('in_progress', []) })]
  for (const [output_index, item] of final.output.entries()) {
    const at = { output_index }
    events.push(
      event('response.output_item.added', { ...at, item: { ...item, content: [], arguments: '', result: null } }),
    )
    if (item === callItem) {
      const halves = [LOOKUP.arguments.slice(0, 9), LOOKUP.arguments.slice(9)]
      for (const delta of halves)
        events.push(event('response.function_call_arguments.delta', { ...at, item_id: 'fc_1', delta }))
    } else if (item !== reasoningItem && item !== imageItem) {
      const where = { ...at, item_id: 'msg_1', content_index: 0 }
      const part = { type: 'output_text', text: '', annotations: [], logprobs: [] }
      const text = pieces.join('')
      events.push(event('response.content_part.added', { ...where, part }))
      for (const delta of pieces) events.push(event('response.output_text.delta', { ...where, delta, logprobs: [] }))
      events.push(event('response.output_text.done', { ...where, text, logprobs: [] }))
      events.push(event('response.content_part.done', { ...where, part: { ...part, text } }))
    }
    events.push(event('response.output_item.done', { ...at, item }))
  }
  return [...events, event(last, { response: final })].map((data, sequence_number) => ({ ...data, sequence_number }))
}

function event(type: string, fields: object) {
  return { type, ...fields }
}

const failure = { code: 'server_error', message: 'The model failed.' }

export const responseAnswers = {
  json: JSON.stringify(wholeResponse('completed', [reasoningItem, textItem(GREETING)]), undefined, 2),
  jsonTools: JSON.stringify(wholeResponse('completed', [textItem('I look.'), callItem])),
  jsonPicture: JSON.stringify(wholeResponse('completed', [imageItem, textItem('Here is a dot.')])),
  stream: namedSse(
    ...responseEvents('response.completed', wholeResponse('completed', [reasoningItem, textItem(GREETING)])),
  ),
  streamTools: namedSse(...responseEvents('response.completed', wholeResponse('completed', [callItem]))),
  streamPicture: namedSse(
    ...responseEvents('response.completed', wholeResponse('completed', [imageItem, textItem('Here is a dot.')]), [
      'Here is a dot.',
    ]),
  ),
  streamIncomplete: namedSse(
    ...responseEvents(
      'response.incomplete',
      wholeResponse('incomplete', [textItem(PIECES[0] ?? '', 'incomplete')], {
        incomplete_details: { reason: 'max_output_tokens' },
      }),
      PIECES.slice(0, 1),
    ),
  ),
  streamFailed: namedSse(...responseEvents('response.failed', wholeResponse('failed', [], { error: failure }))),
  streamCut: namedSse(
    ...responseEvents('response.completed', wholeResponse('completed', [textItem(GREETING)])).slice(0, 5),
  ),
  streamError: namedSse(
    ...responseEvents('response.completed', wholeResponse('completed', [textItem(GREETING)])).slice(0, 5),
    event('error', { ...failure, param: null, sequence_number: 5 }),
  ),
} as const
