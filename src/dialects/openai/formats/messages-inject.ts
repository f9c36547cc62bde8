import type { ChatPart, ChatTurn, ToolCall } from '../../../domain/threads/chat-turn.ts'
import type { Injection } from '../chat-format.ts'
import type { Edit, JsonSpans } from '../json-spans.ts'
import { coherentHistory, grouped, withoutTools } from './history.ts'
import { insertAfterLeading } from './insertion.ts'
import { continuesThread, readMessages } from './messages-read.ts'
import { parsedFields } from './parsed.ts'

/** The pictures that the API takes. */
const PICTURES = new Set(['image/jpeg', 'image/png', 'image/gif', 'image/webp'])
const INSTRUCTIONS = new Set(['system'])
/** The first message must be the user's, and the history may begin after it. */
const OPENING = { role: 'user', content: [{ type: 'text', text: '[Earlier messages are not shown.]' }] }

export function injectIntoMessages(spans: JsonSpans, { block, history }: Injection): Edit[] {
  const messages = spans.member('messages')
  if (!messages || spans.kind(messages) !== 'array' || continuesThread(spans)) return []
  const turns = coherentHistory(history, () => readMessages(spans).turns)
  const values = messagesOf(hasTools(spans) ? turns : withoutTools(turns))
  return [
    ...(block === undefined ? [] : systemEdits(spans, block)),
    ...insertAfterLeading(spans, messages, INSTRUCTIONS, values),
  ]
}

/** The block as a further text of `system`: the client's own blocks stay as they are, so what it has cached stays good. */
function systemEdits(spans: JsonSpans, block: string): Edit[] {
  const system = spans.member('system')
  const text = JSON.stringify({ type: 'text', text: block })
  if (!system) return [spans.addMember('system', `[${text}]`)]
  switch (spans.kind(system)) {
    case 'null':
      return [{ ...system, text: `[${text}]` }]
    case 'string': {
      const given = spans.source(system)
      // A text block must not be empty.
      return [{ ...system, text: given === '""' ? `[${text}]` : `[{"type":"text","text":${given}},${text}]` }]
    }
    case 'array': {
      const at = system.end - 1
      const isEmpty = spans.elements(system).next().done
      return [{ start: at, end: at, text: isEmpty ? text : `,${text}` }]
    }
    case 'object':
    case 'other':
      return []
  }
}

/** Without tools the API refuses messages that tell of their use. */
function hasTools(spans: JsonSpans): boolean {
  const tools = spans.member('tools')
  return tools !== undefined && !spans.elements(tools).next().done
}

/** Turns of one side that follow each other become one message, results of tools first. */
function messagesOf(turns: readonly ChatTurn[]): unknown[] {
  const sides = grouped(turns, (before, turn) => sideOf(before) === sideOf(turn))
  const messages = sides.flatMap((side) => {
    const content = side.flatMap(blocksOf)
    return content.length === 0 ? [] : [{ role: sideOf(side[0]), content }]
  })
  return messages[0]?.role === 'assistant' ? [OPENING, ...messages] : messages
}

function sideOf(turn: ChatTurn | undefined): 'user' | 'assistant' {
  return turn?.role === 'assistant' ? 'assistant' : 'user'
}

function blocksOf({ role, parts, toolCalls = [], toolCallId = '' }: ChatTurn): unknown[] {
  const blocks = parts.flatMap((part) => blockOf(part, role))
  if (role === 'tool') {
    return [{ type: 'tool_result', tool_use_id: idOf(toolCallId), ...(blocks.length > 0 && { content: blocks }) }]
  }
  return [...blocks, ...toolCalls.map(useOf)]
}

function useOf({ id, name, arguments: args }: ToolCall): unknown {
  return {
    type: 'tool_use',
    id: idOf(id),
    name: idOf(name),
    input: args === '' ? {} : (parsedFields(args) ?? { input: args }),
  }
}

/** Ids that another API gave may have characters that this one refuses. */
function idOf(id: string): string {
  return id.replaceAll(/[^a-zA-Z0-9_-]/g, '_')
}

/** Links are left out: one that has gone stale would fail the whole chat. */
function blockOf(part: ChatPart, role: ChatTurn['role']): unknown[] {
  if (part.type === 'text') return part.text.trim() ? [{ type: 'text', text: part.text }] : []
  if (part.type !== 'file' || role === 'assistant') return []
  const { base64, name } = part
  const mimeType = part.mimeType === 'image/jpg' ? 'image/jpeg' : (part.mimeType ?? '')
  if (PICTURES.has(mimeType)) return [{ type: 'image', source: { type: 'base64', media_type: mimeType, data: base64 } }]
  const title = name ? { title: name } : {}
  if (mimeType === 'application/pdf') {
    return [{ type: 'document', source: { type: 'base64', media_type: mimeType, data: base64 }, ...title }]
  }
  if (!mimeType.startsWith('text/')) return []
  const data = Buffer.from(base64, 'base64').toString()
  return data.trim() ? [{ type: 'document', source: { type: 'text', media_type: 'text/plain', data }, ...title }] : []
}
