import { type Database, inTransaction } from '../../db/database.ts'
import type { StoredItem } from '../../db/schema/messages.ts'
import type { SessionKind } from '../../db/schema/sessions.ts'
import { step } from '../../observability/steps.ts'
import type { DetectedUpload } from '../attachments/detect-upload.ts'
import { insertReceiving, markStored, type NewAttachment } from '../attachments/queries.ts'
import { type AlsoStore, type Context, nothingElse } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { createId, createObjectKey, createUpstreamName } from '../ids.ts'
import { insertBatch, storeReceivedBatch } from '../relay/queries.ts'
import { discardReceiving } from './discard-batch.ts'
import {
  insertMessages,
  lockSession,
  type NewMessage,
  type ScopeRow,
  type SessionRow,
  setLastUpstreamTimestamp,
} from './queries.ts'
import type { ResolvedMessage } from './resolve-content.ts'

export interface StoredAttachment extends NewAttachment {
  readonly messageId: string
}

export interface StoredBatch {
  readonly id: string
  readonly session: SessionRow
  /** Upstream timestamp of its last message. */
  readonly position: number
  readonly messageIds: readonly string[]
  readonly attachments: readonly StoredAttachment[]
}

/** Of its files. */
export function bytesOf({ attachments }: StoredBatch): number {
  return attachments.reduce((sum, { size }) => sum + size, 0)
}

interface PlannedAttachment extends StoredAttachment {
  readonly upload: DetectedUpload
}

/**
 * Makes messages and their files durable, and their relay certain: intent rows, then objects, then one transaction with messages
 * and job. When it rejects, nothing is visible, and what was put is deleted.
 */
export async function storeBatch(
  ctx: Context,
  target: { scope: ScopeRow; sessionId: string; kind: SessionKind },
  messages: readonly ResolvedMessage[],
  also: AlsoStore<StoredBatch> = nothingElse,
): Promise<StoredBatch> {
  const batchId = createId('bat')
  const planned = messages.map((message) => planMessage(ctx, batchId, message))
  const attachments = planned.flatMap((message) => message.attachments)
  if (attachments.length > 0) await putObjects(ctx, batchId, attachments)
  try {
    const stored = await inTransaction(ctx.services.db, async (tx) => {
      const session = await lockSession(tx, ctx.caller, {
        id: createId('ses'),
        scopeId: target.scope.id,
        externalId: target.sessionId,
        kind: target.kind,
        upstreamSessionId: createUpstreamName('s'),
      })
      const rows = withUpstreamTimestamps(
        planned.map(({ row }) => row),
        session.lastUpstreamTimestamp,
      )
      const position = rows.at(-1)?.upstreamTimestamp ?? 0
      const stored = { id: batchId, session, position, messageIds: rows.map(({ id }) => id), attachments }
      await insertStored(tx, ctx, stored, rows)
      await also(tx, stored)
      await ctx.services.jobs.enqueue(tx, { name: 'relay-session', sessionId: session.id })
      step('batch-storing')
      return stored
    })
    step('batch-stored')
    return stored
  } catch (error) {
    if (attachments.length > 0) await discardReceiving(ctx, ctx.caller, batchId)
    throw error
  }
}

async function insertStored(
  tx: Database,
  ctx: Context,
  batch: StoredBatch,
  rows: readonly NewMessage[],
): Promise<void> {
  const { id, position, session } = batch
  if (batch.attachments.length === 0) {
    await insertBatch(tx, ctx.caller, { id, action: 'add', state: 'stored', sessionId: session.id, position })
  } else if (!(await storeReceivedBatch(tx, ctx.caller, { id, sessionId: session.id, position }))) {
    throw new GatewayError('unavailable', 'The upload took too long and was given up. Send it again.', {
      retryAfter: 1,
    })
  }
  await insertMessages(tx, ctx.caller, { sessionId: session.id, batchId: id }, rows)
  for (const attachment of batch.attachments) {
    if (!(await markStored(tx, ctx.caller, attachment.id, attachment.messageId))) {
      throw new Error('An attachment was swept while its batch was not.')
    }
  }
  await setLastUpstreamTimestamp(tx, ctx.caller, session.id, position)
}

function planMessage(ctx: Context, batchId: string, { input, items }: ResolvedMessage) {
  const messageId = createId('msg')
  const attachments: PlannedAttachment[] = []
  const content = items.map((item): StoredItem => {
    if (item.type === 'text') return { type: 'text', text: item.text }
    const planned = planAttachment(ctx, batchId, messageId, item.upload)
    attachments.push(planned)
    return { type: planned.kind, attachment_id: planned.id }
  })
  const row = {
    id: messageId,
    role: input.role,
    senderId: input.sender_id ?? (input.role === 'user' ? ctx.caller.externalUserId : input.role),
    senderName: input.sender_name ?? null,
    timestamp: input.timestamp ?? Date.now(),
    content,
    toolCalls: input.tool_calls ?? null,
    toolCallId: input.tool_call_id ?? null,
  }
  return { row, attachments }
}

function planAttachment(ctx: Context, batchId: string, messageId: string, upload: DetectedUpload): PlannedAttachment {
  const objectKey = createObjectKey()
  return {
    id: createId('att'),
    batchId,
    messageId,
    upload,
    uploadId: upload.uploadId,
    objectKey,
    uri: ctx.services.objectStore.uri(objectKey),
    kind: upload.type.kind,
    mimeType: upload.type.mimeType,
    ext: upload.type.ext,
    name: upload.name,
    size: upload.file.size,
    sha256: upload.file.sha256,
  }
}

/** The backend names messages by session and time: each gets a later time than the one before, its own if it can. */
function withUpstreamTimestamps<T extends { timestamp: number }>(rows: readonly T[], lastUpstreamTimestamp: number) {
  let last = lastUpstreamTimestamp
  return rows.map((row, position) => {
    last = Math.max(row.timestamp, last + 1)
    return { ...row, position, upstreamTimestamp: last }
  })
}

async function putObjects(ctx: Context, batchId: string, attachments: readonly PlannedAttachment[]): Promise<void> {
  const { db, objectStore, events } = ctx.services
  await inTransaction(db, async (tx) => {
    await insertBatch(tx, ctx.caller, { id: batchId, action: 'add', state: 'receiving' })
    await insertReceiving(
      tx,
      ctx.caller,
      attachments.map(({ messageId: _messageId, upload: _upload, ...row }) => row),
    )
  })
  step('intent-stored')
  try {
    for (const { objectKey, mimeType, upload, size } of attachments) {
      await objectStore.put(objectKey, upload.file, { contentType: mimeType, signal: ctx.signal })
      events.attachmentStored(size)
      step('object-put')
    }
    step('objects-put')
  } catch (error) {
    await discardReceiving(ctx, ctx.caller, batchId)
    throw new GatewayError('unavailable', 'The files could not be stored now. Nothing was kept; try again.', {
      cause: error,
      retryAfter: 5,
    })
  }
}
