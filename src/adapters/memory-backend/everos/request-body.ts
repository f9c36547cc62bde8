import type { BackendMessage, BackendSession } from '../../../ports/memory-backend.ts'
import { base64Length, encodeBase64 } from './base64.ts'
import { type ContentPart, contentPart } from './content-item.ts'
import { readOriginal } from './original.ts'

/** A request body of known length. Until its last chunk has been taken, the other side cannot have a complete one. */
export interface RequestBody {
  readonly length: number
  /** How much of the length is base64. */
  readonly base64Bytes: number
  chunks(signal: AbortSignal): AsyncIterable<Buffer>
}

export function jsonBody(value: unknown): RequestBody {
  const bytes = Buffer.from(JSON.stringify(value))
  return {
    length: bytes.length,
    base64Bytes: 0,
    async *chunks() {
      yield bytes
    },
  }
}

type Segment = Buffer | Extract<ContentPart, { file: unknown }>['file']

/** Joins neighbouring JSON texts, and keeps files apart from them. */
class Segments {
  readonly list: Segment[] = []
  #json = ''

  text(json: string): void {
    this.#json += json
  }

  part(part: ContentPart): void {
    if ('json' in part) return this.text(part.json)
    this.text(part.before)
    this.#close()
    this.list.push(part.file)
    this.text(part.after)
  }

  end(): readonly Segment[] {
    this.#close()
    return this.list
  }

  #close(): void {
    this.list.push(Buffer.from(this.#json))
    this.#json = ''
  }
}

/**
 * The body of an add call. Files are opened only while the body is being sent, one after the other; `chunks` throws an
 * OriginalError before the last chunk if a file is not what it was.
 */
export async function addBody(
  session: BackendSession,
  messages: readonly BackendMessage[],
  presignAboveBytes: number | undefined,
  signal: AbortSignal,
): Promise<RequestBody> {
  const segments = new Segments()
  const head = { session_id: session.sessionId, app_id: 'default', project_id: session.projectId }
  segments.text(`${JSON.stringify(head).slice(0, -1)},"messages":[`)
  for (const [index, message] of messages.entries()) {
    segments.text(`${index > 0 ? ',' : ''}${JSON.stringify(messageHead(message)).slice(0, -1)},"content":[`)
    for (const [position, item] of message.items.entries()) {
      if (position > 0) segments.text(',')
      segments.part(await contentPart(item, presignAboveBytes, signal))
    }
    segments.text(']}')
  }
  segments.text(']}')
  return streamedBody(segments.end())
}

function messageHead(message: BackendMessage) {
  return {
    sender_id: message.senderId,
    sender_name: message.senderName,
    role: message.role,
    timestamp: message.timestamp,
    ...(message.toolCalls && { tool_calls: message.toolCalls }),
    ...(message.toolCallId !== undefined && { tool_call_id: message.toolCallId }),
  }
}

function streamedBody(segments: readonly Segment[]): RequestBody {
  let length = 0
  let base64Bytes = 0
  for (const segment of segments) {
    if (Buffer.isBuffer(segment)) length += segment.length
    else base64Bytes += base64Length(segment.size)
  }
  return {
    length: length + base64Bytes,
    base64Bytes,
    async *chunks(signal) {
      for (const segment of segments) {
        if (Buffer.isBuffer(segment)) yield segment
        else yield* encodeBase64(readOriginal(segment, signal))
      }
    },
  }
}
