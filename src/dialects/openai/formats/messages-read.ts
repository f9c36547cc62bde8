import type { ChatPart, ChatTurn, ToolCall } from '../../../domain/threads/chat-turn.ts'
import type { SentChat } from '../chat-format.ts'
import type { JsonSpans } from '../json-spans.ts'
import {
  assistantTurn,
  type Fields,
  fieldsOf,
  filePart,
  linkPart,
  listOf,
  textOf,
  textPart,
  toolCall,
  toolTurn,
  urlPart,
} from './parts.ts'

export function readMessages(spans: JsonSpans): SentChat {
  const messages = spans.member('messages')
  const turns: ChatTurn[] = []
  if (messages) for (const element of spans.elements(messages)) turns.push(...turnsOf(fieldsOf(spans.parse(element))))
  return { turns, systemRole: 'system', serverState: continuesThread(spans) }
}

/** The provider holds the conversation, with its instructions and tools: it refuses a request that brings them again. */
export function continuesThread(spans: JsonSpans): boolean {
  const thread = spans.member('thread')
  return thread !== undefined && fieldsOf(spans.parse(thread)).type === 'continue'
}

/** What the model says: in a message of a request, or in an answer. What it only thought is left out. */
export function assistantContent(content: unknown): ChatTurn[] {
  return assistantTurn(
    partsOf(content),
    listOf(content).flatMap((block) => callOf(fieldsOf(block))),
  )
}

function turnsOf({ role, content }: Fields): ChatTurn[] {
  if (role === 'assistant') return assistantContent(content)
  if (role !== 'user') return []
  const results = listOf(content)
    .map(fieldsOf)
    .filter((block) => block['type'] === 'tool_result')
    .map((block) => toolTurn(partsOf(block['content']), block['tool_use_id']))
  const parts = partsOf(content)
  return parts.length > 0 ? [...results, { role, parts }] : results
}

function callOf(block: Fields): ToolCall[] {
  if (block['type'] !== 'tool_use') return []
  return toolCall(block['id'], block['name'], JSON.stringify(block['input'] ?? {}))
}

function partsOf(content: unknown): ChatPart[] {
  return typeof content === 'string' ? textPart(content) : listOf(content).flatMap((block) => partOf(fieldsOf(block)))
}

function partOf(block: Fields): ChatPart[] {
  switch (block['type']) {
    case 'text':
      return textPart(block['text'])
    case 'image':
      return sourceParts(fieldsOf(block['source']), { kind: 'image' })
    case 'document':
      return sourceParts(fieldsOf(block['source']), { name: block['title'] })
    case 'search_result':
      return partsOf(block['content'])
    case 'container_upload':
      return linkPart(block['file_id'], 'doc')
    default:
      return []
  }
}

function sourceParts(source: Fields, facts: { readonly kind?: 'image'; readonly name?: unknown }): ChatPart[] {
  switch (source['type']) {
    case 'base64':
      return filePart(source['data'], { ...facts, mimeType: source['media_type'] })
    case 'text': {
      const text = textOf(source['data'])
      return text ? filePart(Buffer.from(text).toString('base64'), { ...facts, mimeType: 'text/plain' }) : []
    }
    case 'content':
      return partsOf(source['content'])
    case 'url':
      return urlPart(source['url'], facts)
    case 'file':
      return linkPart(source['file_id'], facts.kind ?? 'doc')
    default:
      return []
  }
}
