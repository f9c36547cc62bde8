import type { BackendFile, BackendItem, BackendMessage, BackendSession } from '../../ports/memory-backend.ts'
import type { ObjectStore } from '../../ports/object-store.ts'
import type { AttachmentRow } from '../attachments/queries.ts'
import { upstreamSenderName } from '../ids.ts'
import type { MessageRow } from '../sessions/queries.ts'
import type { ClaimedSession } from './lease-queries.ts'

const MAX_SENDER_NAME = 64

export function upstreamOf(session: ClaimedSession): BackendSession {
  return {
    projectId: session.upstreamProjectId,
    senderId: session.upstreamSenderId,
    sessionId: session.upstreamSessionId,
    ownerId: session.userId,
    ...(session.kind === 'memory' && { isRecord: true }),
  }
}

/** Stored messages as the backend gets them: under its own names, with files that are opened when they are needed. */
export function backendMessages(
  objectStore: ObjectStore,
  session: ClaimedSession,
  content: { messages: readonly MessageRow[]; attachments: ReadonlyMap<string, AttachmentRow> },
): BackendMessage[] {
  return content.messages.map((message) => ({
    role: message.role,
    senderId:
      message.role === 'user'
        ? session.upstreamSenderId
        : upstreamSenderName(session.upstreamProjectId, message.senderId),
    // The owner of what is nobody's has no name.
    senderName: (message.senderName || message.senderId || message.role).slice(0, MAX_SENDER_NAME).toWellFormed(),
    timestamp: message.upstreamTimestamp,
    items: message.content.map((item) => backendItem(objectStore, content.attachments, item)),
    ...(message.toolCalls && { toolCalls: message.toolCalls }),
    ...(message.toolCallId !== null && { toolCallId: message.toolCallId }),
  }))
}

function backendItem(
  objectStore: ObjectStore,
  attachments: ReadonlyMap<string, AttachmentRow>,
  item: MessageRow['content'][number],
): BackendItem {
  if ('text' in item) return { type: 'text', text: item.text }
  const attachment = attachments.get(item.attachment_id)
  if (!attachment) throw new Error(`The attachment ${item.attachment_id} of a stored message is missing.`)
  return { type: 'file', file: backendFile(objectStore, attachment) }
}

function backendFile(objectStore: ObjectStore, attachment: AttachmentRow): BackendFile {
  const { kind, name, ext, mimeType, size, sha256, objectKey } = attachment
  return {
    kind,
    name,
    ext,
    mimeType,
    size,
    sha256,
    open: (signal) => objectStore.get(objectKey, signal ? { signal } : {}),
    presign: (expiresInSeconds) => objectStore.presignGet(objectKey, expiresInSeconds),
  }
}
