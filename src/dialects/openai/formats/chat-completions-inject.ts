import type { ChatPart, ChatTurn } from '../../../domain/threads/chat-turn.ts'
import type { Injection } from '../chat-format.ts'
import type { Edit, JsonSpans } from '../json-spans.ts'
import { audioFormat } from './audio.ts'
import { readChatCompletion } from './chat-completions-read.ts'
import { coherentHistory, joinedText } from './history.ts'
import { firstRole, insertAfterLeading } from './insertion.ts'

const INSTRUCTIONS = new Set(['system', 'developer'])

export function injectIntoChatCompletion(spans: JsonSpans, { block, history }: Injection): Edit[] {
  const messages = spans.member('messages')
  if (!messages || spans.kind(messages) !== 'array') return []
  const role = firstRole(spans, messages) === 'developer' ? 'developer' : 'system'
  const turns = coherentHistory(history, () => readChatCompletion(spans).turns)
  const values = [...(block === undefined ? [] : [{ role, content: block }]), ...turns.flatMap(messageOf)]
  return insertAfterLeading(spans, messages, INSTRUCTIONS, values)
}

function messageOf({ role, parts, toolCalls = [], toolCallId }: ChatTurn): unknown[] {
  if (role === 'tool') return [{ role, tool_call_id: toolCallId, content: joinedText(parts) }]
  if (role === 'user') {
    const content = contentOf(parts)
    return content === undefined ? [] : [{ role, content }]
  }
  const text = joinedText(parts)
  if (toolCalls.length === 0) return text ? [{ role, content: text }] : []
  const calls = toolCalls.map(({ id, name, arguments: args }) => ({
    id,
    type: 'function',
    function: { name, arguments: args },
  }))
  return [{ role, content: text || null, tool_calls: calls }]
}

/** Plain text where nothing else is said: not every server reads lists of parts. */
function contentOf(parts: readonly ChatPart[]): unknown {
  const files = parts.flatMap(fileOf)
  const text = joinedText(parts)
  if (files.length === 0) return text || undefined
  return [...(text ? [{ type: 'text', text }] : []), ...files]
}

/** Links are left out: one that has gone stale would fail the whole chat. */
function fileOf(part: ChatPart): unknown[] {
  if (part.type !== 'file') return []
  const { kind, base64, mimeType, name } = part
  if (kind === 'image')
    return [{ type: 'image_url', image_url: { url: `data:${mimeType ?? 'image/png'};base64,${base64}` } }]
  if (kind === 'audio') return [{ type: 'input_audio', input_audio: { data: base64, format: audioFormat(mimeType) } }]
  const data = `data:${mimeType ?? 'application/octet-stream'};base64,${base64}`
  return [{ type: 'file', file: { filename: name ?? 'file', file_data: data } }]
}
