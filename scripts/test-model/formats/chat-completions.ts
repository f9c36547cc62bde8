import { z } from 'zod'
import {
  type Conversation,
  checkToolCalls,
  type Media,
  mediaFrom,
  mediaOf,
  Refusal,
  type Reply,
  type Turn,
  turnOf,
} from '../conversation.ts'
import { errorType, piecesOf, type TestFormat } from './format.ts'

const part = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('text'), text: z.string() }),
  z.looseObject({ type: z.literal('refusal'), refusal: z.string() }),
  z.looseObject({ type: z.literal('image_url'), image_url: z.looseObject({ url: z.string() }) }),
  z.looseObject({
    type: z.literal('input_audio'),
    input_audio: z.looseObject({ data: z.string(), format: z.string() }),
  }),
  z.looseObject({
    type: z.literal('file'),
    file: z.looseObject({ file_data: z.string().optional(), file_id: z.string().optional() }),
  }),
])
const content = z.union([z.string(), z.array(part).min(1)])
const call = z.looseObject({
  id: z.string(),
  type: z.literal('function'),
  function: z.looseObject({ name: z.string(), arguments: z.string() }),
})
const message = z.discriminatedUnion('role', [
  z.looseObject({ role: z.enum(['system', 'developer', 'user']), content }),
  z.looseObject({
    role: z.literal('assistant'),
    content: content.nullish(),
    tool_calls: z.array(call).min(1).optional(),
  }),
  z.looseObject({ role: z.literal('tool'), content, tool_call_id: z.string() }),
])
const request = z.looseObject({
  model: z.string(),
  messages: z.array(message).min(1),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().optional() }).nullish(),
  tools: z
    .array(
      z.looseObject({
        type: z.literal('function'),
        function: z.looseObject({ name: z.string(), parameters: z.record(z.string(), z.unknown()).optional() }),
      }),
    )
    .optional(),
  tool_choice: z
    .union([z.enum(['auto', 'none', 'required']), z.looseObject({ function: z.looseObject({ name: z.string() }) })])
    .optional(),
  response_format: z
    .looseObject({
      type: z.string(),
      json_schema: z.looseObject({ name: z.string(), schema: z.record(z.string(), z.unknown()).optional() }).optional(),
    })
    .optional(),
})
type Message = z.infer<typeof message>

/** `POST …/chat/completions`. */
export const chatCompletions: TestFormat = {
  path: '/chat/completions',
  read: (body) => {
    const parsed = request.safeParse(body)
    if (!parsed.success) throw new Refusal(z.prettifyError(parsed.error))
    return conversationOf(parsed.data)
  },
  answer: (reply) => ({
    id: idOf(reply),
    object: 'chat.completion',
    created: createdAt,
    model: reply.conversation.model,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: reply.calls.length > 0 ? null : reply.text,
          refusal: null,
          ...(reply.calls.length > 0 && { tool_calls: reply.calls.map(writtenCall) }),
        },
        logprobs: null,
        finish_reason: finishReason(reply),
      },
    ],
    usage: usageOf(reply),
    system_fingerprint: 'fp_test_model',
  }),
  events: (reply) => {
    const choice = (delta: object, finish: string | null = null) =>
      chunk(reply, [{ index: 0, delta, logprobs: null, finish_reason: finish }])
    return [
      choice({ role: 'assistant', content: reply.calls.length > 0 ? null : '', refusal: null }),
      ...piecesOf(reply.text).map((text) => choice({ content: text })),
      ...reply.calls.flatMap((one, index) => [
        choice({ tool_calls: [{ index, id: one.id, type: 'function', function: { name: one.name, arguments: '' } }] }),
        ...piecesOf(one.arguments).map((text) => choice({ tool_calls: [{ index, function: { arguments: text } }] })),
      ]),
      choice({}, finishReason(reply)),
      ...(reply.conversation.wantsUsage ? [chunk(reply, [], usageOf(reply))] : []),
      'data: [DONE]\n\n',
    ]
  },
  error: (status, text) => ({ error: { message: text, type: errorType(status), param: null, code: null } }),
}

/** The same in every answer: only what was asked tells two of them apart. */
const createdAt = 1_700_000_000
const idOf = ({ number }: Reply) => `chatcmpl-test-${number}`
const finishReason = ({ calls }: Reply) => (calls.length > 0 ? 'tool_calls' : 'stop')
const writtenCall = (one: Reply['calls'][number]) => ({
  id: one.id,
  type: 'function',
  function: { name: one.name, arguments: one.arguments },
})

function usageOf({ usage: { input, output } }: Reply) {
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 },
  }
}

function chunk(reply: Reply, choices: readonly object[], usage: object | null = null): string {
  const body = {
    id: idOf(reply),
    object: 'chat.completion.chunk',
    created: createdAt,
    model: reply.conversation.model,
    system_fingerprint: 'fp_test_model',
    choices,
    ...(reply.conversation.wantsUsage && { usage }),
  }
  return `data: ${JSON.stringify(body)}\n\n`
}

function conversationOf(asked: z.infer<typeof request>): Conversation {
  checkSequence(asked.messages)
  const { tool_choice: choice = 'auto', response_format: format } = asked
  return {
    model: asked.model,
    isStream: asked.stream === true,
    wantsUsage: asked.stream_options?.include_usage === true,
    turns: asked.messages.map(turnIn),
    tools: (asked.tools ?? []).map(({ function: { name, parameters } }) => ({ name, schema: parameters ?? {} })),
    toolChoice: typeof choice === 'string' ? choice : { name: choice.function.name },
    schema: format?.type === 'json_schema' ? format.json_schema?.schema : undefined,
  }
}

function checkSequence(messages: readonly Message[]): void {
  let calls: string[] = []
  let answered: string[] = []
  for (const one of messages) {
    if (one.role === 'tool') {
      answered.push(one.tool_call_id)
      continue
    }
    checkToolCalls(calls, answered)
    answered = []
    calls = one.role === 'assistant' ? (one.tool_calls ?? []).map(({ id }) => id) : []
  }
  checkToolCalls(calls, answered)
}

function turnIn(one: Message): Turn {
  const parts = typeof one.content === 'string' ? [{ type: 'text' as const, text: one.content }] : (one.content ?? [])
  const text = parts.flatMap((each) => (each.type === 'text' ? [each.text] : [])).join('\n')
  const role = one.role === 'developer' ? 'system' : one.role
  const calls = one.role === 'assistant' ? (one.tool_calls ?? []) : []
  return turnOf(role, text, {
    media: parts.flatMap(mediaIn),
    calls: calls.map(({ id, function: { name, arguments: json } }) => ({ id, name, arguments: json })),
  })
}

function mediaIn(one: z.infer<typeof part>): Media[] {
  if (one.type === 'image_url') return [mediaOf('image', one.image_url.url)]
  if (one.type === 'input_audio') {
    return [mediaFrom('audio', `audio/${one.input_audio.format}`, one.input_audio.data)]
  }
  if (one.type === 'file') return [mediaOf('file', one.file.file_data ?? '')]
  return []
}
