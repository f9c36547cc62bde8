import type { EventReader } from '../sse.ts'
import { AnswerDraft } from './answer.ts'
import { assistantMessage, pictureOf } from './chat-completions-read.ts'
import { parsedFields } from './parsed.ts'
import { type Fields, fieldsOf, listOf } from './parts.ts'

const DONE = '[DONE]'

/** Takes in a whole answer. Of several choices the first is the one that is remembered. */
export function readChatCompletionAnswer(body: unknown, draft: AnswerDraft): void {
  const { choices, error } = fieldsOf(body)
  if (error) draft.fail()
  const choice = fieldsOf(listOf(choices)[0])
  for (const turn of assistantMessage(fieldsOf(choice['message']))) draft.turn(turn)
  takeFinish(choice, draft)
}

export class ChatCompletionEvents implements EventReader {
  readonly draft = new AnswerDraft()
  #calls = 0
  #pictures = 0
  /** Index of a call in the stream → its slot. */
  readonly #slots = new Map<unknown, string>()

  isTerminal(_event: string | undefined, data: string | undefined): boolean | undefined {
    return data === undefined ? undefined : data.trim() === DONE
  }

  read(_event: string | undefined, data: string): void {
    const chunk = parsedFields(data)
    if (!chunk) return
    if (chunk['error']) this.draft.fail()
    for (const item of listOf(chunk['choices'])) {
      const choice = fieldsOf(item)
      if ((choice['index'] ?? 0) !== 0) continue
      this.#delta(fieldsOf(choice['delta']))
      takeFinish(choice, this.draft)
    }
  }

  #delta(delta: Fields): void {
    const { content } = delta
    this.draft.text('content', content)
    for (const part of listOf(content)) this.draft.text('content', fieldsOf(part)['text'])
    this.draft.text('refusal', delta['refusal'])
    this.draft.text('spoken', fieldsOf(delta['audio'])['transcript'])
    for (const image of listOf(delta['images'])) {
      this.draft.parts(`picture ${this.#pictures++}`, pictureOf(fieldsOf(image)))
    }
    for (const [position, call] of listOf(delta['tool_calls']).entries()) this.#call(fieldsOf(call), position)
    if (delta['function_call']) this.#call({ index: 'function', function: delta['function_call'] }, 0)
  }

  #call(call: Fields, position: number): void {
    const { id, index = position } = call
    const called = { ...fieldsOf(call['custom']), ...fieldsOf(call['function']) }
    const known = this.#slots.get(index)
    // Some servers give every call the index 0; the ids tell them apart.
    const isOther = known === undefined || (id && called['name'] && this.draft.callId(known) !== id)
    const slot = isOther ? `call ${this.#calls++}` : known
    this.#slots.set(index, slot)
    this.draft.call(slot, id, called['name'])
    this.draft.callArguments(slot, called['arguments'] ?? called['input'])
  }
}

function takeFinish(choice: Fields, draft: AnswerDraft): void {
  const reason = choice['finish_reason']
  if (typeof reason !== 'string') return
  draft.finishReason = reason
  if (reason === 'error') draft.fail()
}
