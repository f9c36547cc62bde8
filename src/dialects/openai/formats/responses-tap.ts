import type { EventReader } from '../sse.ts'
import { AnswerDraft } from './answer.ts'
import { parsedFields } from './parsed.ts'
import { type Fields, fieldsOf } from './parts.ts'
import { generatedImage, outputTurns } from './responses-read.ts'

const TERMINAL = new Set<unknown>(['response.completed', 'response.incomplete', 'response.failed'])

/** Events that are read; the others pass without being parsed. */
const READ = new Set<unknown>([
  ...TERMINAL,
  'response.output_item.added',
  'response.output_item.done',
  'response.output_text.delta',
  'response.refusal.delta',
  'response.function_call_arguments.delta',
  'response.custom_tool_call_input.delta',
  'error',
])

/** Takes in a whole response. */
export function readResponse(body: unknown, draft: AnswerDraft): void {
  const response = fieldsOf(body)
  for (const turn of outputTurns(response['output'])) draft.turn(turn)
  takeStatus(response, draft)
}

export class ResponseEvents implements EventReader {
  draft = new AnswerDraft()

  isTerminal(event: string | undefined, data: string | undefined): boolean | undefined {
    const type = event ?? (data === undefined ? undefined : parsedFields(data)?.['type'])
    return type === undefined ? undefined : TERMINAL.has(type)
  }

  read(event: string | undefined, data: string): void {
    if (event !== undefined && !READ.has(event)) return
    const fields = parsedFields(data)
    if (!fields) return
    const { type } = fields
    const slot = `item ${String(fields['output_index'])}`
    switch (type) {
      case 'response.output_item.added':
        this.#added(slot, fieldsOf(fields['item']))
        return
      case 'response.output_item.done': {
        const item = fieldsOf(fields['item'])
        if (item['type'] === 'image_generation_call') this.draft.parts(slot, generatedImage(item))
        return
      }
      case 'response.output_text.delta':
      case 'response.refusal.delta':
        this.draft.text(`${slot} ${String(fields['content_index'])}`, fields['delta'])
        return
      case 'response.function_call_arguments.delta':
      case 'response.custom_tool_call_input.delta':
        this.draft.callArguments(slot, fields['delta'])
        return
      case 'error':
        this.draft.fail()
        return
      default:
        if (TERMINAL.has(type)) this.#end(fieldsOf(fields['response']))
    }
  }

  #added(slot: string, item: Fields): void {
    if (item['type'] === 'function_call' || item['type'] === 'custom_tool_call') {
      this.draft.call(slot, item['call_id'], item['name'])
    }
  }

  /** The whole response comes again at the end; a server that sends it without its output is taken by its pieces. */
  #end(response: Fields): void {
    const whole = new AnswerDraft()
    readResponse(response, whole)
    if (whole.answer(true).turn) this.draft = whole
    else takeStatus(response, this.draft)
  }
}

function takeStatus(response: Fields, draft: AnswerDraft): void {
  const { status, error } = response
  if (error || status === 'failed' || status === 'cancelled') draft.fail()
  // A response that goes on in the background is not over.
  if (typeof status !== 'string' || status === 'queued' || status === 'in_progress') return
  const { reason } = fieldsOf(response['incomplete_details'])
  draft.finishReason = typeof reason === 'string' ? reason : status
}
