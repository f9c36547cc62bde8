import type { ChatPart, ChatTurn, ToolCall } from '../../../domain/threads/chat-turn.ts'
import type { SentChat } from '../chat-format.ts'
import type { JsonSpans, Span } from '../json-spans.ts'
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

export function readResponsesRequest(spans: JsonSpans): SentChat {
  const input = spans.member('input')
  const isDeveloper = input !== undefined && firstRole(spans, input) === 'developer'
  return {
    turns: input ? inputTurns(spans, input) : [],
    systemRole: isDeveloper ? 'developer' : 'system',
    serverState: [spans.member('previous_response_id'), spans.member('conversation')].some(
      (member) => member !== undefined && spans.kind(member) !== 'null',
    ),
  }
}

function inputTurns(spans: JsonSpans, input: Span): readonly ChatTurn[] {
  if (spans.kind(input) === 'string') return userTurn(textPart(spans.parse(input)))
  const turns = new TurnList()
  for (const element of spans.elements(input)) turns.take(fieldsOf(spans.parse(element)))
  return turns.close()
}

/** What the model says in the items of an answer. */
export function outputTurns(output: unknown): readonly ChatTurn[] {
  const turns = new TurnList()
  for (const item of listOf(output)) turns.take(fieldsOf(item))
  return turns.close()
}

/** A picture that the model made. */
export function generatedImage(item: Fields): ChatPart[] {
  const format = item['output_format']
  const mimeType = typeof format === 'string' ? `image/${format === 'svg' ? 'svg+xml' : format}` : 'image/png'
  return filePart(item['result'], { kind: 'image', mimeType })
}

/** Items become turns. What the assistant says and calls in items that follow each other is one turn, as its answer was. */
class TurnList {
  readonly #turns: ChatTurn[] = []
  #parts: ChatPart[] = []
  #calls: ToolCall[] = []

  take(item: Fields): void {
    switch (item['type'] ?? 'message') {
      case 'message':
        this.#message(item)
        return
      case 'function_call':
        this.#calls.push(...toolCall(item['call_id'], item['name'], item['arguments']))
        return
      case 'custom_tool_call':
        this.#calls.push(...toolCall(item['call_id'], item['name'], item['input']))
        return
      case 'image_generation_call':
        this.#parts.push(...generatedImage(item))
        return
      case 'function_call_output':
      case 'custom_tool_call_output':
        this.close()
        this.#turns.push(toolTurn(partsOf(item['output']), item['call_id']))
        return
      default:
    }
  }

  close(): readonly ChatTurn[] {
    this.#turns.push(...assistantTurn(this.#parts, this.#calls))
    this.#parts = []
    this.#calls = []
    return this.#turns
  }

  #message({ role, content }: Fields): void {
    if (role === 'assistant') {
      this.#parts.push(...partsOf(content))
      return
    }
    this.close()
    if (role === 'user') this.#turns.push(...userTurn(partsOf(content)))
  }
}

function userTurn(parts: readonly ChatPart[]): ChatTurn[] {
  return parts.length > 0 ? [{ role: 'user', parts }] : []
}

function partsOf(content: unknown): ChatPart[] {
  return typeof content === 'string' ? textPart(content) : listOf(content).flatMap((part) => partOf(fieldsOf(part)))
}

function partOf(part: Fields): ChatPart[] {
  switch (part['type']) {
    case 'input_text':
    case 'output_text':
    case 'text':
      return textPart(part['text'])
    case 'refusal':
      return textPart(part['refusal'])
    case 'input_image':
      return part['image_url'] ? urlPart(part['image_url'], { kind: 'image' }) : linkPart(part['file_id'], 'image')
    case 'input_audio':
      return audioPart(part)
    case 'input_file': {
      const { file_data: data, file_url: url, file_id: id, filename: name } = part
      if (data) return filePart(data, { name })
      return url ? urlPart(url, { name }) : linkPart(id, 'doc')
    }
    default:
      return []
  }
}
