/** What every format of a request comes down to. */
export interface Conversation {
  readonly model: string
  readonly isStream: boolean
  /** The chunk with the usage, which chat completions send if asked to. */
  readonly wantsUsage: boolean
  readonly turns: readonly Turn[]
  readonly tools: readonly Tool[]
  readonly toolChoice: 'auto' | 'none' | 'required' | { readonly name: string }
  /** JSON schema of the answer, where one is asked for. */
  readonly schema: JsonSchema | undefined
}

export interface Turn {
  readonly role: 'system' | 'user' | 'assistant' | 'tool'
  readonly text: string
  readonly media: readonly Media[]
  readonly calls: readonly ToolCall[]
}

/** A picture, sound or file that came with a turn; a link, or an id of the provider's, has no bytes. */
export interface Media {
  readonly kind: 'image' | 'audio' | 'file'
  readonly mimeType: string | undefined
  readonly bytes: Buffer | undefined
}

export interface Tool {
  readonly name: string
  readonly schema: JsonSchema
}

export interface ToolCall {
  readonly id: string
  readonly name: string
  /** JSON. */
  readonly arguments: string
}

export type JsonSchema = Readonly<Record<string, unknown>>

/** What the test model says. */
export interface Answer {
  readonly text: string
  readonly calls: readonly ToolCall[]
}

/** An answer with what a format needs to write it down. */
export interface Reply extends Answer {
  /** Unique within one server. */
  readonly number: number
  readonly conversation: Conversation
  readonly usage: { readonly input: number; readonly output: number }
}

/** A request that a real provider would refuse. */
export class Refusal extends Error {
  override name = 'Refusal'
  readonly status: number

  constructor(message: string, status = 400) {
    super(message)
    this.status = status
  }
}

export const turnOf = (role: Turn['role'], text: string, more: Partial<Turn> = {}): Turn => ({
  role,
  text,
  media: [],
  calls: [],
  ...more,
})

/** From a `data:` URL, or a link. */
export function mediaOf(kind: Media['kind'], url: string): Media {
  const [, mimeType, data] = /^data:([^;,]*)[^,]*;base64,(.*)$/s.exec(url) ?? []
  if (data === undefined) return { kind, mimeType: undefined, bytes: undefined }
  return mediaFrom(kind, mimeType, data)
}

/** From base64; refused if it is none, or nothing. */
export function mediaFrom(kind: Media['kind'], mimeType: string | undefined, base64: string): Media {
  const bytes = Buffer.from(base64, 'base64')
  if (bytes.length === 0 || bytes.toString('base64') !== base64) throw new Refusal(`The ${kind} is no valid base64.`)
  return { kind, mimeType, bytes }
}

/** As a provider does: every call of an assistant is answered by the turns right after it, and nothing else is. */
export function checkToolCalls(calls: readonly string[], answered: readonly string[]): void {
  const missing = calls.filter((id) => !answered.includes(id))
  if (missing.length > 0) throw new Refusal(`These tool calls have no answer right after them: ${missing.join(', ')}`)
  const uncalled = answered.filter((id) => !calls.includes(id))
  if (uncalled.length > 0)
    throw new Refusal(`Answers to tool calls that are not right before them: ${uncalled.join(', ')}`)
  if (new Set(answered).size < answered.length) throw new Refusal('A tool call is answered twice.')
}

/** Roughly as tokenisers count. */
export const tokensOf = (text: string): number => Math.ceil(text.length / 4)
