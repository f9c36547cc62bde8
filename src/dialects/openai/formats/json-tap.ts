import { ByteCollector } from '../../../http/byte-collector.ts'
import type { Answer, AnswerTap } from '../chat-format.ts'
import { AnswerDraft, MAX_FILES, MAX_TEXT } from './answer.ts'

/** Of a body; longer ones pass, but are not read. Pictures and sounds that the model made are in it as base64. */
const MAX_BODY = MAX_FILES + MAX_TEXT

/** Reads an answer that is one JSON value. Its last byte is held back. */
export class JsonTap implements AnswerTap {
  readonly isEnded = false
  readonly isMidEvent = false
  readonly sequence = 0
  readonly #read: (body: unknown, draft: AnswerDraft) => void
  #last: Buffer | undefined
  readonly #kept = new ByteCollector()
  #size = 0

  /** `read` puts what the parsed body says into the draft. */
  constructor(read: (body: unknown, draft: AnswerDraft) => void) {
    this.#read = read
  }

  push(chunk: Buffer): Buffer[] {
    if (chunk.length === 0) return []
    this.#size += chunk.length
    if (this.#size <= MAX_BODY) this.#kept.add(chunk)
    else this.#kept.clear()
    const before = this.#last
    this.#last = chunk.subarray(-1)
    return [before, chunk.subarray(0, -1)].filter((part) => part !== undefined && part.length > 0) as Buffer[]
  }

  rest(): Buffer[] {
    const last = this.#last
    this.#last = undefined
    return last ? [last] : []
  }

  answer(): Answer {
    const draft = new AnswerDraft()
    draft.isTruncated = this.#size > MAX_BODY
    const body = parsed(this.#kept.bytes().toString())
    if (body !== undefined) this.#read(body, draft)
    return draft.answer(false)
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text)
  } catch {
    return undefined
  }
}
