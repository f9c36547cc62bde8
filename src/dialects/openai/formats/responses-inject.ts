import type { ChatPart, ChatTurn } from '../../../domain/threads/chat-turn.ts'
import type { Injection } from '../chat-format.ts'
import type { Edit, JsonSpans } from '../json-spans.ts'
import { coherentHistory, joinedText } from './history.ts'
import { firstRole, insertAfterLeading } from './insertion.ts'
import { readResponsesRequest } from './responses-read.ts'

const INSTRUCTIONS = new Set(['system', 'developer'])

export function injectIntoResponses(spans: JsonSpans, { block, history }: Injection): Edit[] {
  const input = spans.member('input')
  const role = input && firstRole(spans, input) === 'developer' ? 'developer' : 'system'
  const turns = coherentHistory(history, () => readResponsesRequest(spans).turns)
  const items = [...(block === undefined ? [] : [{ role, content: block }]), ...turns.flatMap(itemsOf)]
  if (items.length === 0) return []
  if (!input) return [spans.addMember('input', JSON.stringify(items))]
  switch (spans.kind(input)) {
    case 'array':
      return insertAfterLeading(spans, input, INSTRUCTIONS, items)
    case 'string': {
      const texts = [...items.map((item) => JSON.stringify(item)), `{"role":"user","content":${spans.source(input)}}`]
      return [{ ...input, text: `[${texts.join(',')}]` }]
    }
    case 'null':
      return [{ ...input, text: JSON.stringify(items) }]
    case 'object':
    case 'other':
      return []
  }
}

function itemsOf({ role, parts, toolCalls = [], toolCallId }: ChatTurn): unknown[] {
  const content = contentOf(parts, role)
  if (role === 'tool') return [{ type: 'function_call_output', call_id: toolCallId, output: content ?? '' }]
  const calls = toolCalls.map(({ id, name, arguments: args }) => ({
    type: 'function_call',
    call_id: id,
    name,
    arguments: args,
  }))
  return [...(content === undefined ? [] : [{ role, content }]), ...calls]
}

function contentOf(parts: readonly ChatPart[], role: ChatTurn['role']): unknown {
  const text = joinedText(parts)
  const files = role === 'assistant' ? [] : parts.flatMap(fileOf)
  if (files.length === 0) return text || undefined
  return [...(text ? [{ type: 'input_text', text }] : []), ...files]
}

/** The API takes no sounds. Links are left out: one that has gone stale would fail the whole chat. */
function fileOf(part: ChatPart): unknown[] {
  if (part.type !== 'file' || part.kind === 'audio') return []
  const { kind, base64, mimeType, name } = part
  if (kind === 'image') {
    return [{ type: 'input_image', detail: 'auto', image_url: `data:${mimeType ?? 'image/png'};base64,${base64}` }]
  }
  const data = `data:${mimeType ?? 'application/octet-stream'};base64,${base64}`
  return [{ type: 'input_file', filename: name ?? 'file', file_data: data }]
}
