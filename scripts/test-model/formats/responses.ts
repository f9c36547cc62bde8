import { z } from 'zod'
import {
  type Conversation,
  type Media,
  mediaOf,
  Refusal,
  type Reply,
  type ToolCall,
  type Turn,
  turnOf,
} from '../conversation.ts'
import { errorType, namedEvent, piecesOf, type TestFormat } from './format.ts'

const part = z.discriminatedUnion('type', [
  z.looseObject({ type: z.enum(['input_text', 'output_text']), text: z.string() }),
  z.looseObject({ type: z.literal('refusal'), refusal: z.string() }),
  z.looseObject({ type: z.literal('input_image'), image_url: z.string().nullish(), file_id: z.string().nullish() }),
  z.looseObject({ type: z.literal('input_file'), file_data: z.string().nullish(), file_id: z.string().nullish() }),
])
const message = z.looseObject({
  type: z.literal('message').optional(),
  role: z.enum(['user', 'assistant', 'system', 'developer']),
  content: z.union([z.string(), z.array(part)]),
})
const call = z.looseObject({
  type: z.literal('function_call'),
  call_id: z.string(),
  name: z.string(),
  arguments: z.string(),
})
const result = z.looseObject({
  type: z.literal('function_call_output'),
  call_id: z.string(),
  output: z.union([z.string(), z.array(part)]),
})
const reasoning = z.looseObject({ type: z.enum(['reasoning', 'item_reference']) })
const item = z.union([call, result, reasoning, message])
const request = z.looseObject({
  model: z.string(),
  input: z.union([z.string(), z.array(item).min(1)]),
  instructions: z.string().nullish(),
  stream: z.boolean().nullish(),
  previous_response_id: z.string().nullish(),
  tools: z
    .array(
      z.looseObject({
        type: z.string(),
        name: z.string().optional(),
        parameters: z.record(z.string(), z.unknown()).nullish(),
      }),
    )
    .optional(),
  tool_choice: z.union([z.enum(['auto', 'none', 'required']), z.looseObject({ name: z.string() })]).optional(),
  text: z
    .looseObject({
      format: z.looseObject({ type: z.string(), schema: z.record(z.string(), z.unknown()).optional() }).optional(),
    })
    .optional(),
})
type Item = z.infer<typeof item>

/** `POST …/responses`. */
export const responses: TestFormat = {
  path: '/responses',
  read: (body) => {
    const parsed = request.safeParse(body)
    if (!parsed.success) throw new Refusal(z.prettifyError(parsed.error))
    return conversationOf(parsed.data)
  },
  answer: (reply) => responseOf(reply, 'completed', outputOf(reply)),
  events: (reply) => {
    const output = outputOf(reply)
    const events = [
      { type: 'response.created', response: responseOf(reply, 'in_progress', []) },
      { type: 'response.in_progress', response: responseOf(reply, 'in_progress', []) },
      ...output.flatMap((one, index) => (one.type === 'message' ? messageEvents(one, index) : callEvents(one, index))),
      { type: 'response.completed', response: responseOf(reply, 'completed', output) },
    ]
    return events.map((event, index) => namedEvent(event.type, { ...event, sequence_number: index }))
  },
  error: (status, said) => ({ error: { message: said, type: errorType(status), param: null, code: null } }),
}

interface WrittenMessage {
  readonly id: string
  readonly type: 'message'
  readonly status: 'completed'
  readonly role: 'assistant'
  readonly content: readonly { readonly type: 'output_text'; readonly text: string }[]
}

interface WrittenCall {
  readonly id: string
  readonly type: 'function_call'
  readonly status: 'completed'
  readonly call_id: string
  readonly name: string
  readonly arguments: string
}

const textPart = (text: string) => ({ type: 'output_text' as const, text, annotations: [], logprobs: [] })

function outputOf({ number, text, calls }: Reply): (WrittenMessage | WrittenCall)[] {
  if (calls.length === 0) {
    return [
      { id: `msg_test_${number}`, type: 'message', status: 'completed', role: 'assistant', content: [textPart(text)] },
    ]
  }
  return calls.map(({ id, name, arguments: json }, index) => ({
    id: `fc_test_${number}_${index}`,
    type: 'function_call',
    status: 'completed',
    call_id: id,
    name,
    arguments: json,
  }))
}

function responseOf({ number, conversation, usage }: Reply, status: string, output: readonly object[]) {
  return {
    id: `resp_test_${number}`,
    object: 'response',
    created_at: 1_700_000_000,
    status,
    error: null,
    incomplete_details: null,
    instructions: null,
    model: conversation.model,
    output,
    parallel_tool_calls: true,
    previous_response_id: null,
    store: false,
    temperature: 1,
    text: { format: { type: 'text' } },
    tool_choice: 'auto',
    tools: [],
    top_p: 1,
    truncation: 'disabled',
    metadata: {},
    usage:
      status === 'completed'
        ? {
            input_tokens: usage.input,
            input_tokens_details: { cached_tokens: 0 },
            output_tokens: usage.output,
            output_tokens_details: { reasoning_tokens: 0 },
            total_tokens: usage.input + usage.output,
          }
        : null,
  }
}

interface Event {
  readonly type: string
  readonly [field: string]: unknown
}

function messageEvents(written: WrittenMessage, index: number): Event[] {
  const { text } = written.content[0] ?? { text: '' }
  const at = { item_id: written.id, output_index: index, content_index: 0 }
  const started = { ...written, status: 'in_progress', content: [] }
  return [
    { type: 'response.output_item.added', output_index: index, item: started },
    { type: 'response.content_part.added', ...at, part: textPart('') },
    ...piecesOf(text).map((delta) => ({ type: 'response.output_text.delta', ...at, delta, logprobs: [] })),
    { type: 'response.output_text.done', ...at, text, logprobs: [] },
    { type: 'response.content_part.done', ...at, part: textPart(text) },
    { type: 'response.output_item.done', output_index: index, item: written },
  ]
}

function callEvents(written: WrittenCall, index: number): Event[] {
  const at = { item_id: written.id, output_index: index }
  const started = { ...written, status: 'in_progress', arguments: '' }
  return [
    { type: 'response.output_item.added', output_index: index, item: started },
    ...piecesOf(written.arguments).map((delta) => ({ type: 'response.function_call_arguments.delta', ...at, delta })),
    { type: 'response.function_call_arguments.done', ...at, name: written.name, arguments: written.arguments },
    { type: 'response.output_item.done', output_index: index, item: written },
  ]
}

function conversationOf(asked: z.infer<typeof request>): Conversation {
  const items: Item[] = typeof asked.input === 'string' ? [{ role: 'user', content: asked.input }] : asked.input
  // What a previous answer called is with the provider, not in the request.
  if (!asked.previous_response_id) checkCalls(items)
  const choice = asked.tool_choice ?? 'auto'
  return {
    model: asked.model,
    isStream: asked.stream === true,
    wantsUsage: true,
    turns: [...(asked.instructions ? [turnOf('system', asked.instructions)] : []), ...items.flatMap(turnIn)],
    tools: (asked.tools ?? []).flatMap(({ type, name, parameters }) =>
      type === 'function' && name !== undefined ? [{ name, schema: parameters ?? {} }] : [],
    ),
    toolChoice: typeof choice === 'string' ? choice : { name: choice.name },
    schema: asked.text?.format?.type === 'json_schema' ? asked.text.format.schema : undefined,
  }
}

/** Here a result may stand anywhere behind its call. */
function checkCalls(items: readonly Item[]): void {
  const open = new Set<string>()
  for (const one of items) {
    if (isCall(one)) open.add(one.call_id)
    else if (isResult(one) && !open.delete(one.call_id)) {
      throw new Refusal(`No tool call found for function call output with call_id ${one.call_id}.`)
    }
  }
  if (open.size > 0) throw new Refusal(`No tool output found for function call ${[...open].join(', ')}.`)
}

const isCall = (one: Item): one is z.infer<typeof call> => one.type === 'function_call'
const isResult = (one: Item): one is z.infer<typeof result> => one.type === 'function_call_output'
const isMessage = (one: Item): one is z.infer<typeof message> => 'role' in one && 'content' in one

function turnIn(one: Item): Turn[] {
  if (isCall(one)) {
    const called: ToolCall = { id: one.call_id, name: one.name, arguments: one.arguments }
    return [turnOf('assistant', '', { calls: [called] })]
  }
  if (isResult(one)) return [turnOf('tool', textIn(one.output))]
  if (!isMessage(one)) return []
  const role = one.role === 'developer' ? 'system' : one.role
  const media = typeof one.content === 'string' ? [] : one.content.flatMap(mediaIn)
  return [turnOf(role, textIn(one.content), { media })]
}

function textIn(content: string | readonly z.infer<typeof part>[]): string {
  if (typeof content === 'string') return content
  const texts = content.flatMap((one) => (one.type === 'input_text' || one.type === 'output_text' ? [one.text] : []))
  return texts.join('\n')
}

function mediaIn(one: z.infer<typeof part>): Media[] {
  if (one.type === 'input_image') return [mediaOf('image', one.image_url ?? '')]
  return one.type === 'input_file' ? [mediaOf('file', one.file_data ?? '')] : []
}
