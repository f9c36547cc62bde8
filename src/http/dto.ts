import type { z } from '@hono/zod-openapi'
import type { AttachmentRow } from '../domain/attachments/queries.ts'
import type { getErasure } from '../domain/erasure/get-erasure.ts'
import { memoryId, resourceUri } from '../domain/ids.ts'
import type { Operation } from '../domain/operations/list-operations.ts'
import type { ResourceWithFile } from '../domain/resources/queries.ts'
import type { SearchResults as Found, SearchResult } from '../domain/search/search-memory.ts'
import type { listMessages, listSessions } from '../domain/sessions/list-sessions.ts'
import type { StoredAttachment } from '../domain/sessions/store-batch.ts'
import type { UserKeyRow } from '../domain/users/queries.ts'
import type { Attachment, Erasure, Message, Operation as OperationBody, Resource, Session, UserKey } from './schemas.ts'
import type { SearchResults } from './search-schemas.ts'

type File = StoredAttachment | AttachmentRow

/** Every answer is picked field by field: a row is never sent as it is. */
export function toAttachment(file: File): z.infer<typeof Attachment> {
  return {
    upload_id: file.uploadId,
    attachment_id: file.id,
    type: file.kind,
    name: file.name,
    mime_type: file.mimeType,
    size: file.size,
    sha256: file.sha256,
    internal_uri: file.uri,
  }
}

function contentUrl(attachmentId: string): string {
  return `/attachments/${attachmentId}/content`
}

export function toSearchResults(
  { results, method, notice }: Found,
  externalUserId: string,
): z.infer<typeof SearchResults> {
  return {
    results: results.map((result) => toSearchResult(result, externalUserId)),
    retrieval: { method, ...(notice !== undefined && { notice }) },
  }
}

function toSearchResult(
  { id, session, sourceScope, hit, sources, attachments }: SearchResult,
  externalUserId: string,
): z.infer<typeof SearchResults>['results'][number] {
  return {
    id,
    session_id: session.externalId,
    source_scope: sourceScope,
    ...(session.resourceId !== null && {
      resource_id: session.resourceId,
      resource_uri: resourceUri(externalUserId, session.resourceId),
    }),
    text: hit.text,
    ...(hit.subject !== undefined && { subject: hit.subject }),
    facts: [...hit.facts],
    score: hit.score,
    timestamp: hit.timestamp,
    pending: hit.pending ?? false,
    ...(hit.speaker !== undefined && { speaker: hit.speaker }),
    ...(hit.fact && {
      fact: {
        type: hit.fact.type,
        confidence: hit.fact.confidence,
        ...(hit.fact.occurredAt !== undefined && { occurred_at: hit.fact.occurredAt }),
        ...(hit.fact.supersededBy !== undefined && { superseded_by: memoryId(hit.projectId, hit.fact.supersededBy) }),
      },
    }),
    ...(hit.explanation && { explanation: { ...hit.explanation } }),
    sources: sources.map((source) => ({
      message_id: source.id,
      sender_id: source.senderId,
      timestamp: source.timestamp,
      ...(source.attachmentId !== undefined && { attachment_id: source.attachmentId }),
      ...(source.page !== undefined && { page: source.page }),
      ...(source.sheet !== undefined && { sheet: source.sheet }),
      ...(source.slide !== undefined && { slide: source.slide }),
    })),
    attachments: attachments.map((file) => ({
      attachment_id: file.id,
      type: file.kind,
      name: file.name,
      mime_type: file.mimeType,
      size: file.size,
      url: contentUrl(file.id),
      internal_uri: file.uri,
    })),
  }
}

export function toResource(row: ResourceWithFile, externalUserId: string): z.infer<typeof Resource> {
  const { resource, attachment } = row
  return {
    resource_id: resource.id,
    filename: attachment.name,
    content_type: attachment.kind,
    mime_type: attachment.mimeType,
    size: attachment.size,
    uri: resourceUri(externalUserId, resource.id),
    session_id: row.externalSessionId,
    app_id: row.appId,
    project_id: row.projectId,
    status: resource.status,
    error: resource.error,
    title: resource.title,
    description: resource.description,
    attachment_id: attachment.id,
    url: `/resources/${resource.id}/content`,
    created_at: resource.createdAt.toISOString(),
    updated_at: resource.updatedAt.toISOString(),
  }
}

export function toSession(row: Awaited<ReturnType<typeof listSessions>>['items'][number]): z.infer<typeof Session> {
  return {
    session_id: row.externalId,
    kind: row.kind as 'chat' | 'resource' | 'thread',
    message_count: row.messageCount,
    attachment_count: row.attachmentCount,
    pending_messages: row.pendingMessages,
    created_at: row.createdAt.toISOString(),
    last_activity_at: row.lastActivityAt.toISOString(),
  }
}

type MessagePage = Awaited<ReturnType<typeof listMessages>>

export function toMessage(
  { message, state, reason }: MessagePage['items'][number],
  page: MessagePage,
): z.infer<typeof Message> {
  return {
    message_id: message.id,
    role: message.role,
    sender_id: message.senderId,
    ...(message.senderName !== null && { sender_name: message.senderName }),
    timestamp: message.timestamp,
    content: message.content.flatMap((item): z.infer<typeof Message>['content'] => {
      if ('text' in item) return [{ type: 'text', text: item.text }]
      const file = page.attachments.get(item.attachment_id)
      if (!file) return []
      const { sha256: _, ...shown } = toAttachment(file)
      return [{ ...shown, url: contentUrl(file.id) }]
    }),
    ...(message.toolCalls && { tool_calls: message.toolCalls }),
    ...(message.toolCallId !== null && { tool_call_id: message.toolCallId }),
    state: messageState(state, message.upstreamTimestamp <= page.extractedThrough),
    ...((state === 'failed' || state === 'rejected') && reason !== null && { error: reason }),
    created_at: message.createdAt.toISOString(),
  }
}

function messageState(
  state: MessagePage['items'][number]['state'],
  isExtracted: boolean,
): z.infer<typeof Message>['state'] {
  if (state === 'failed' || state === 'rejected') return 'failed'
  if (state !== 'relayed') return 'queued'
  return isExtracted ? 'extracted' : 'accumulated'
}

export function toOperation({ batch, ...row }: Operation): z.infer<typeof OperationBody> {
  return {
    operation_id: batch.id,
    action: batch.action,
    status: batch.state as z.infer<typeof OperationBody>['status'],
    reason: batch.reason,
    attempts: batch.attempts,
    next_try_at: row.nextTryAt?.toISOString() ?? null,
    session_id: row.externalSessionId,
    ...(row.resourceId !== null && { resource_id: row.resourceId }),
    app_id: row.appId,
    project_id: row.projectId,
    message_count: row.messageCount,
    created_at: batch.createdAt.toISOString(),
    updated_at: batch.updatedAt.toISOString(),
  }
}

export function toErasure(row: Awaited<ReturnType<typeof getErasure>>): z.infer<typeof Erasure> {
  return {
    erasure_id: row.id,
    kind: row.kind,
    status: row.status,
    requested_by: row.requestedBy === 'admin' ? 'admin' : 'user',
    sessions: row.sessions,
    messages: row.messages,
    objects: row.objects,
    bytes: row.bytes,
    pending_operator: row.leftUpstream,
    requested_at: row.createdAt.toISOString(),
    finished_at: row.finishedAt?.toISOString() ?? null,
  }
}

export function toUserKey(row: UserKeyRow): z.infer<typeof UserKey> {
  return {
    key_id: row.id,
    prefix: row.prefix,
    created_at: row.createdAt.toISOString(),
    last_used_at: row.lastUsedAt?.toISOString() ?? null,
    expires_at: row.expiresAt?.toISOString() ?? null,
  }
}
