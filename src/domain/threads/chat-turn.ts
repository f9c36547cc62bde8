import type { ContentKind } from '../../ports/memory-backend.ts'

/** A part of what somebody said, whichever API they said it through. */
export type ChatPart =
  | { readonly type: 'text'; readonly text: string }
  /** A file that came with the request. */
  | {
      readonly type: 'file'
      readonly kind: ContentKind
      readonly base64: string
      readonly mimeType?: string
      readonly name?: string
    }
  /** What the gateway has no bytes of and will not fetch: an address, or an id of the provider's. */
  | { readonly type: 'link'; readonly kind: ContentKind; readonly target: string }

export interface ToolCall {
  readonly id: string
  readonly name: string
  /** JSON, as the model wrote it. */
  readonly arguments: string
}

/** One message of a chat in the form that all APIs are brought to. Instructions to the model (`system`, `developer`) are none. */
export interface ChatTurn {
  readonly role: 'user' | 'assistant' | 'tool'
  readonly parts: readonly ChatPart[]
  readonly toolCalls?: readonly ToolCall[]
  /** Of a `tool` turn: which call it answers. */
  readonly toolCallId?: string
}
