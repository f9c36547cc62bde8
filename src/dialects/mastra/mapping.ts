import type { AttachmentRow } from '../../domain/attachments/queries.ts'
import type { ObservationWork, ShownRecord } from '../../domain/observations/records.ts'
import type { MessageRow } from '../../domain/sessions/queries.ts'
import type { ThreadMessages } from '../../domain/threads/list-thread-messages.ts'
import type { ThreadRow } from '../../domain/threads/thread-context.ts'

export function toThread(thread: ThreadRow, resourceId: string) {
  return {
    id: thread.externalId,
    resourceId,
    title: thread.title,
    metadata: thread.metadata,
    createdAt: thread.createdAt.toISOString(),
    updatedAt: thread.updatedAt.toISOString(),
  }
}

export type ShownThread = ReturnType<typeof toThread>

type ShownMessage = Pick<MessageRow, 'id' | 'role' | 'content' | 'toolCalls' | 'toolCallId' | 'timestamp' | 'metadata'>

interface MessagesWithFiles extends Pick<ThreadMessages, 'attachments'> {
  readonly messages: readonly ShownMessage[]
}

/** Messages as clients of the framework read them: the text, or a list of parts where there is more than text. */
export function toMessages({ id, resourceId }: ShownThread, { messages, attachments }: MessagesWithFiles) {
  return messages.map((message) => ({
    id: message.id,
    threadId: id,
    resourceId,
    role: message.role,
    type: typeOf(message),
    content: contentOf(id, message, attachments),
    createdAt: new Date(message.timestamp).toISOString(),
    ...(message.metadata && { metadata: message.metadata }),
  }))
}

function typeOf({ role, toolCalls }: ShownMessage): 'text' | 'tool-call' | 'tool-result' {
  if (role === 'tool') return 'tool-result'
  return toolCalls && toolCalls.length > 0 ? 'tool-call' : 'text'
}

function contentOf(threadId: string, message: ShownMessage, attachments: ThreadMessages['attachments']) {
  const text = message.content.flatMap((item) => ('text' in item ? [item.text] : [])).join('\n')
  const files = message.content.flatMap((item) => {
    const file = 'attachment_id' in item ? attachments.get(item.attachment_id) : undefined
    return file ? [toFilePart(threadId, file)] : []
  })
  if (message.role === 'tool') {
    return [{ type: 'tool-result', toolCallId: message.toolCallId, result: text }, ...files]
  }
  const calls = (message.toolCalls ?? []).map(toCallPart)
  if (files.length === 0 && calls.length === 0) return text
  return [...(text === '' ? [] : [{ type: 'text', text }]), ...files, ...calls]
}

/** The address is one of this API's: whoever reads the thread reads the file. */
function toFilePart(threadId: string, { id, kind, mimeType, name, size }: AttachmentRow) {
  const url = `/v1/memory/threads/${encodeURIComponent(threadId)}/files/${id}`
  const file = { mimeType, filename: name, size }
  return kind === 'image' ? { type: 'image', image: url, ...file } : { type: 'file', data: url, ...file }
}

function toCallPart(call: unknown) {
  const { id, function: called } = call as { id?: string; function?: { name?: string; arguments?: string } }
  return { type: 'tool-call', toolCallId: id ?? null, toolName: called?.name ?? null, args: argumentsOf(called) }
}

/** JSON, if the model wrote JSON. */
function argumentsOf(called: { arguments?: string } | undefined): unknown {
  try {
    return JSON.parse(called?.arguments ?? '{}')
  } catch {
    return called?.arguments
  }
}

/** A record of observational memory, by the names that the framework has for what it holds. */
export function toRecord({ id, resourceId }: ShownThread, { record, pendingTokens, work, settings }: ShownRecord) {
  const is = (what: ObservationWork) => work === what
  return {
    id: record.id,
    scope: 'thread',
    threadId: id,
    resourceId,
    originType: record.origin,
    generationCount: record.generation,
    activeObservations: record.observations,
    observationTokenCount: record.observationTokens,
    lastObservedAt: record.lastObservedAt?.toISOString() ?? null,
    totalTokensObserved: record.totalTokensObserved,
    pendingMessageTokens: pendingTokens,
    bufferedObservationChunks: record.buffered.map((chunk) => ({
      observations: chunk.observations,
      tokenCount: chunk.tokens,
      messageTokens: chunk.messageTokens,
      lastObservedAt: new Date(chunk.at).toISOString(),
    })),
    bufferedReflection: record.bufferedReflection,
    reflectedObservationLineCount: record.reflectedLines,
    isObserving: is('observing'),
    isReflecting: is('reflecting'),
    isBufferingObservation: is('buffering_observation'),
    isBufferingReflection: is('buffering_reflection'),
    config: {
      observation: { messageTokens: settings.observeTokens },
      reflection: { observationTokens: settings.reflectTokens },
    },
    createdAt: record.createdAt.toISOString(),
    updatedAt: record.updatedAt.toISOString(),
  }
}
