import { z } from 'zod'
import {
  type Conversation,
  checkToolCalls,
  type Media,
  mediaFrom,
  Refusal,
  type Reply,
  type Turn,
  turnOf,
} from '../conversation.ts'
import { errorType, namedEvent, piecesOf, type TestFormat } from './format.ts'

const source = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('base64'), media_type: z.string(), data: z.string() }),
  z.looseObject({ type: z.literal('text'), media_type: z.literal('text/plain'), data: z.string() }),
  z.looseObject({ type: z.literal('url'), url: z.string() }),
  z.looseObject({ type: z.literal('file'), file_id: z.string() }),
])
const text = z.looseObject({
  type: z.literal('text'),
  text: z.string().min(1, 'text content blocks must be non-empty'),
})
const image = z.looseObject({ type: z.literal('image'), source })
const document = z.looseObject({ type: z.literal('document'), source })
const toolUse = z.looseObject({
  type: z.literal('tool_use'),
  id: z.string(),
  name: z.string(),
  input: z.record(z.string(), z.unknown()),
})
const toolResult = z.looseObject({
  type: z.literal('tool_result'),
  tool_use_id: z.string(),
  content: z.union([z.string(), z.array(z.discriminatedUnion('type', [text, image, document]))]).optional(),
})
const thinking = z.looseObject({ type: z.enum(['thinking', 'redacted_thinking']) })
const block = z.discriminatedUnion('type', [text, image, document, toolUse, toolResult, thinking])
const message = z.looseObject({
  role: z.enum(['user', 'assistant', 'system']),
  content: z.union([z.string().min(1, 'messages must have non-empty content'), z.array(block).min(1)]),
})
const request = z.looseObject({
  model: z.string(),
  max_tokens: z.int().min(1),
  messages: z.array(message).min(1),
  system: z.union([z.string(), z.array(text)]).optional(),
  stream: z.boolean().optional(),
  thread: z
    .discriminatedUnion('type', [
      z.looseObject({ type: z.literal('create') }),
      z.looseObject({ type: z.literal('continue'), previous_message_id: z.string() }),
    ])
    .nullish(),
  tools: z
    .array(z.looseObject({ name: z.string(), input_schema: z.record(z.string(), z.unknown()).optional() }))
    .optional(),
  tool_choice: z.looseObject({ type: z.enum(['auto', 'any', 'tool', 'none']), name: z.string().optional() }).optional(),
  output_config: z
    .looseObject({ format: z.looseObject({ schema: z.record(z.string(), z.unknown()) }).nullish() })
    .optional(),
})
type Block = z.infer<typeof block>
type Message = z.infer<typeof message>

type Request = z.infer<typeof request>

/** `POST …/messages`, as Anthropic has it, with the threads that it holds between turns. */
export function messagesFormat(): TestFormat {
  const asked = new WeakMap<Conversation, Request>()
  const threads = new Map<string, Request>()

  /** For the request that continues from this answer. */
  function keep(reply: Reply): void {
    const whole = asked.get(reply.conversation)
    if (!whole?.thread) return
    const answer: Message = { role: 'assistant', content: contentOf(reply) as Block[] }
    threads.set(head(reply).id, { ...whole, messages: [...whole.messages, answer] })
  }

  return {
    path: '/messages',
    read: (body) => {
      const parsed = request.safeParse(body)
      if (!parsed.success) throw new Refusal(z.prettifyError(parsed.error))
      const whole = continued(parsed.data, threads)
      const conversation = conversationOf(whole)
      asked.set(conversation, whole)
      return conversation
    },
    answer: (reply) => {
      keep(reply)
      return { ...head(reply), content: contentOf(reply), ...stopOf(reply), usage: usageOf(reply) }
    },
    events: (reply) => {
      keep(reply)
      return eventsOf(reply)
    },
    error: (status, said) => ({
      type: 'error',
      error: { type: errorType(status), message: said },
      request_id: 'req_test_model',
    }),
  }
}

/** The whole conversation, of which a request that continues a thread has only what is new. */
function continued(given: Request, threads: ReadonlyMap<string, Request>): Request {
  if (given.thread?.type !== 'continue') return given
  if (given.system !== undefined || given.tools !== undefined) {
    throw new Refusal('system and tools are taken from the thread, and must not be in a request that continues it')
  }
  const known = threads.get(given.thread.previous_message_id)
  if (!known) throw new Refusal('No thread was found for this previous_message_id', 404)
  const { system, tools, messages } = known
  return { ...given, ...(system && { system }), ...(tools && { tools }), messages: [...messages, ...given.messages] }
}

function eventsOf(reply: Reply): string[] {
  const message = {
    ...head(reply),
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { ...usageOf(reply), output_tokens: 1 },
  }
  return [
    namedEvent('message_start', { type: 'message_start', message }),
    namedEvent('ping', { type: 'ping' }),
    ...contentOf(reply).flatMap(blockEvents),
    namedEvent('message_delta', {
      type: 'message_delta',
      delta: stopOf(reply),
      usage: { output_tokens: reply.usage.output },
    }),
    namedEvent('message_stop', { type: 'message_stop' }),
  ]
}

type Written =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'tool_use'; readonly id: string; readonly name: string; readonly input: unknown }

const head = ({ number, conversation: { model } }: Reply) => ({
  id: `msg_test_${number}`,
  type: 'message',
  role: 'assistant',
  model,
})

const stopOf = ({ calls }: Reply) => ({ stop_reason: calls.length > 0 ? 'tool_use' : 'end_turn', stop_sequence: null })

const usageOf = ({ usage: { input, output } }: Reply) => ({
  input_tokens: input,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
  output_tokens: output,
})

function contentOf({ text: said, calls }: Reply): Written[] {
  if (calls.length === 0) return [{ type: 'text', text: said }]
  return calls.map(({ id, name, arguments: json }) => ({ type: 'tool_use', id, name, input: JSON.parse(json) }))
}

function blockEvents(written: Written, index: number): string[] {
  const delta = (piece: object) =>
    namedEvent('content_block_delta', { type: 'content_block_delta', index, delta: piece })
  const [empty, pieces] =
    written.type === 'text'
      ? [{ ...written, text: '' }, piecesOf(written.text).map((piece) => delta({ type: 'text_delta', text: piece }))]
      : [{ ...written, input: {} }, piecesOf(JSON.stringify(written.input)).map(inputDelta)]
  function inputDelta(piece: string) {
    return delta({ type: 'input_json_delta', partial_json: piece })
  }
  return [
    namedEvent('content_block_start', { type: 'content_block_start', index, content_block: empty }),
    ...pieces,
    namedEvent('content_block_stop', { type: 'content_block_stop', index }),
  ]
}

function conversationOf(asked: Request): Conversation {
  checkSequence(asked.messages)
  const { system = [], tool_choice: choice = { type: 'auto' } } = asked
  const instructions = typeof system === 'string' ? system : system.map((one) => one.text).join('\n')
  return {
    model: asked.model,
    isStream: asked.stream === true,
    wantsUsage: true,
    turns: [...(instructions ? [turnOf('system', instructions)] : []), ...asked.messages.flatMap(turnsIn)],
    tools: (asked.tools ?? []).map(({ name, input_schema: schema }) => ({ name, schema: schema ?? {} })),
    toolChoice: toolChoiceOf(choice),
    schema: asked.output_config?.format?.schema,
  }
}

function toolChoiceOf({ type, name }: { type: string; name?: string | undefined }): Conversation['toolChoice'] {
  if (type === 'tool' && name !== undefined) return { name }
  if (type === 'any') return 'required'
  return type === 'none' ? 'none' : 'auto'
}

const blocksOf = ({ content }: Message): readonly Block[] =>
  typeof content === 'string' ? [{ type: 'text', text: content }] : content

function checkSequence(all: readonly Message[]): void {
  if (all.find(({ role }) => role !== 'system')?.role !== 'user')
    throw new Refusal('messages: first message must use the "user" role')
  let calls: string[] = []
  let last: string | undefined
  for (const one of all.filter(({ role }) => role !== 'system')) {
    const blocks = blocksOf(one)
    const answered = blocks.flatMap((each) => (each.type === 'tool_result' ? [each.tool_use_id] : []))
    // Messages of one role in a row count as one, but an answer has to be in the first.
    if (last !== one.role) checkToolCalls(calls, answered)
    else if (answered.length > 0) throw new Refusal('A tool_result has to be in the message right after its tool_use.')
    if (answered.length > 0 && blocks[0]?.type !== 'tool_result')
      throw new Refusal('tool_result blocks must come first.')
    const called = blocks.flatMap((each) => (each.type === 'tool_use' ? [each.id] : []))
    calls = last === one.role ? [...calls, ...called] : called
    last = one.role
  }
  checkToolCalls(calls, [])
}

function turnsIn(one: Message): Turn[] {
  const blocks = blocksOf(one)
  const results = blocks.flatMap((each) => (each.type === 'tool_result' ? [turnOf('tool', resultText(each))] : []))
  const said = blocks.flatMap((each) => (each.type === 'text' ? [each.text] : [])).join('\n')
  const media = blocks.flatMap(mediaIn)
  const calls = blocks.flatMap((each) =>
    each.type === 'tool_use' ? [{ id: each.id, name: each.name, arguments: JSON.stringify(each.input) }] : [],
  )
  const isOnlyResults = results.length > 0 && said === '' && media.length === 0
  return [...results, ...(isOnlyResults ? [] : [turnOf(one.role, said, { media, calls })])]
}

function resultText({ content = '' }: z.infer<typeof toolResult>): string {
  if (typeof content === 'string') return content
  return content.flatMap((each) => (each.type === 'text' ? [each.text] : [])).join('\n')
}

function mediaIn(one: Block): Media[] {
  if (one.type !== 'image' && one.type !== 'document') return []
  const kind = one.type === 'image' ? 'image' : 'file'
  if (one.source.type === 'base64') return [mediaFrom(kind, one.source.media_type, one.source.data)]
  if (one.source.type === 'text') return [{ kind, mimeType: 'text/plain', bytes: Buffer.from(one.source.data) }]
  return [{ kind, mimeType: undefined, bytes: undefined }]
}
