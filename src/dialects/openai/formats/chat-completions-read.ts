import type { ChatPart, ChatTurn, ToolCall } from '../../../domain/threads/chat-turn.ts'
import type { SentChat } from '../chat-format.ts'
import type { JsonSpans } from '../json-spans.ts'
import { audioPart } from './audio.ts'
import { firstRole } from './insertion.ts'
import {
  assistantTurn,
  type Fields,
  fieldsOf,
  filePart,
  linkPart,
  listOf,
  textPart,
  toolCall,
  toolTurn,
  urlPart,
} from './parts.ts'

export function readChatCompletion(spans: JsonSpans): SentChat {
  const messages = spans.member('messages')
  const turns: ChatTurn[] = []
  if (messages) for (const element of spans.elements(messages)) turns.push(...turnOf(fieldsOf(spans.parse(element))))
  const isDeveloper = messages !== undefined && firstRole(spans, messages) === 'developer'
  return { turns, systemRole: isDeveloper ? 'developer' : 'system', serverState: false }
}

/** What an assistant's message says: one of a request, or the one of an answer. */
export function assistantMessage(message: Fields): ChatTurn[] {
  const images = listOf(message['images']).flatMap((image) => pictureOf(fieldsOf(image)))
  const parts = [...partsOf(message['content']), ...textPart(message['refusal']), ...spokenParts(message), ...images]
  return assistantTurn(parts, callsOf(message))
}

/** A picture that a model made, as OpenRouter gives it. */
export function pictureOf(image: Fields): ChatPart[] {
  const { image_url: given } = image
  return urlPart(typeof given === 'string' ? given : fieldsOf(given)['url'], { kind: 'image' })
}

function turnOf(message: Fields): ChatTurn[] {
  switch (message['role']) {
    case 'user': {
      const parts = partsOf(message['content'])
      return parts.length > 0 ? [{ role: 'user', parts }] : []
    }
    case 'assistant':
      return assistantMessage(message)
    case 'tool':
      return [toolTurn(partsOf(message['content']), message['tool_call_id'])]
    // The forerunner of tools: a call had no id, so its name stands for it.
    case 'function':
      return [toolTurn(partsOf(message['content']), message['name'])]
    default:
      return []
  }
}

function partsOf(content: unknown): ChatPart[] {
  return typeof content === 'string' ? textPart(content) : listOf(content).flatMap((part) => partOf(fieldsOf(part)))
}

function partOf(part: Fields): ChatPart[] {
  switch (part['type']) {
    case 'text':
      return textPart(part['text'])
    case 'refusal':
      return textPart(part['refusal'])
    case 'image_url':
      return pictureOf(part)
    case 'input_audio':
      return audioPart(part)
    case 'file': {
      const { file_data: data, file_id: id, filename: name } = fieldsOf(part['file'])
      if (typeof data !== 'string') return linkPart(id, 'doc')
      return /^https?:/i.test(data) ? urlPart(data, { name }) : filePart(data, { name })
    }
    default:
      return []
  }
}

function spokenParts(message: Fields): ChatPart[] {
  const { data, transcript } = fieldsOf(message['audio'])
  return [...textPart(transcript), ...filePart(data, { kind: 'audio' })]
}

function callsOf(message: Fields): ToolCall[] {
  const { name, arguments: args } = fieldsOf(message['function_call'])
  return [...listOf(message['tool_calls']).flatMap((call) => callOf(fieldsOf(call))), ...toolCall(name, name, args)]
}

function callOf(call: Fields): ToolCall[] {
  const custom = fieldsOf(call['custom'])
  const called = fieldsOf(call['function'])
  return [
    ...toolCall(call['id'], called['name'], called['arguments']),
    ...toolCall(call['id'], custom['name'], custom['input']),
  ]
}
