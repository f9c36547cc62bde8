import type { Answer } from '../chat-format.ts'
import type { EventReader } from '../sse.ts'
import { AnswerDraft } from './answer.ts'
import { assistantContent } from './messages-read.ts'
import { parsedFields } from './parsed.ts'
import { type Fields, fieldsOf } from './parts.ts'

/** Takes in a whole answer. */
export function readMessage(body: unknown, draft: AnswerDraft): void {
  const message = fieldsOf(body)
  if (message['type'] === 'error') draft.fail()
  for (const turn of assistantContent(message['content'])) draft.turn(turn)
  takeFinish(message, draft)
}

export class MessageEvents implements EventReader {
  readonly draft: AnswerDraft = new MessageDraft()

  isTerminal(event: string | undefined, data: string | undefined): boolean | undefined {
    const type = event ?? (data === undefined ? undefined : parsedFields(data)?.['type'])
    return type === undefined ? undefined : type === 'message_stop'
  }

  read(event: string | undefined, data: string): void {
    if (event === 'ping') return
    const fields = parsedFields(data)
    if (!fields) return
    const slot = `block ${String(fields['index'])}`
    switch (fields['type']) {
      case 'content_block_start':
        this.#start(slot, fieldsOf(fields['content_block']))
        return
      case 'content_block_delta': {
        const delta = fieldsOf(fields['delta'])
        this.draft.text(slot, delta['type'] === 'text_delta' ? delta['text'] : undefined)
        this.draft.callArguments(slot, delta['partial_json'])
        return
      }
      case 'message_delta':
        takeFinish(fieldsOf(fields['delta']), this.draft)
        return
      case 'error':
        this.draft.fail()
        return
      default:
    }
  }

  #start(slot: string, block: Fields): void {
    if (block['type'] === 'text') this.draft.text(slot, block['text'])
    if (block['type'] === 'tool_use') {
      this.draft.call(slot, block['id'], block['name'], JSON.stringify(block['input'] ?? {}))
    }
  }
}

/** Arguments come as the model wrote them, but clients give them back as a value: both are written alike here. */
class MessageDraft extends AnswerDraft {
  override answer(hasEnded: boolean): Answer {
    const answer = super.answer(hasEnded)
    const { turn } = answer
    if (!turn?.toolCalls) return answer
    const toolCalls = turn.toolCalls.map((call) => {
      const input = parsedFields(call.arguments)
      return input ? { ...call, arguments: JSON.stringify(input) } : call
    })
    return { ...answer, turn: { ...turn, toolCalls } }
  }
}

function takeFinish(message: Fields, draft: AnswerDraft): void {
  const reason = message['stop_reason']
  if (typeof reason === 'string') draft.finishReason = reason
}
