import { type Database, inTransaction, together } from '../../db/database.ts'
import type { StoredItem } from '../../db/schema/messages.ts'
import type { SessionKind } from '../../db/schema/sessions.ts'
import { step } from '../../observability/steps.ts'
import type { DetectedUpload } from '../attachments/detect-upload.ts'
import { insertReceiving, markStored, type NewAttachment } from '../attachments/queries.ts'
import { insertShared } from '../attachments/share-objects.ts'
import { type AlsoStore, type Context, nothingElse } from '../context.ts'
import { GatewayError } from '../errors.ts'
import { createId, createObjectKey, createUpstreamName } from '../ids.ts'
import { insertBatch, storeReceivedBatch } from '../relay/queries.ts'
import { discardReceiving } from './discard-batch.ts'
import { insertMessages } from './message-queries.ts'
import { lockSession, type NewMessage, type ScopeRow, type SessionRow } from './queries.ts'
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
  /** Whose objects were put. */
  readonly attachments: readonly StoredAttachment[]
}

/** Of what was put. */
export function bytesOf({ attachments }: StoredBatch): number {
  return attachments.reduce((sum, { size }) => sum + size, 0)
}

interface PlannedAttachment extends StoredAttachment {
  readonly upload: DetectedUpload
}

/** The session that messages go to, made if need be. */
export interface BatchTarget {
  readonly scope: ScopeRow
  /** The `session_id` of the API. */
  readonly sessionId: string
  readonly kind: SessionKind
}

/** A batch whose ids are chosen, and of which nothing is stored yet. */
export interface PlannedBatch {
  readonly id: string
  readonly target: BatchTarget
  readonly rows: readonly ReturnType<typeof planMessage>['row'][]
  readonly attachments: readonly PlannedAttachment[]
  /** Files whose objects are there already, or put with another of the call. */
  readonly shared: readonly StoredAttachment[]
}

export function planBatch(ctx: Context, target: BatchTarget, messages: readonly ResolvedMessage[]): PlannedBatch {
  const id = createId('bat')
  const planned = messages.map((message) => planMessage(ctx, id, message))
  return {
    id,
    target,
    rows: planned.map(({ row }) => row),
    attachments: planned.flatMap(({ attachments }) => attachments),
    shared: planned.flatMap(({ shared }) => shared),
  }
}

/**
 * Makes planned batches durable, and their relay certain: intent rows, then objects, then one transaction with messages and jobs, of
 * which `store` does what is to be done with each, by `storePlanned`. When it rejects, nothing is visible, and what was put is deleted.
 */
export async function storeBatches<T>(
  ctx: Context,
  batches: readonly PlannedBatch[],
  store: (tx: Database) => Promise<T>,
): Promise<T> {
  const withFiles = batches.filter(({ attachments }) => attachments.length > 0)
  const put: PlannedBatch[] = []
  try {
    for (const batch of withFiles) {
      put.push(batch)
      await putObjects(ctx, batch)
    }
    const stored = await inTransaction(ctx.services.db, async (tx) => {
      const result = await store(tx)
      step('batch-storing')
      return result
    })
    step('batch-stored')
    return stored
  } catch (error) {
    for (const { id } of put) await discardReceiving(ctx, ctx.caller, id)
    throw error
  }
}

/** Within the transaction of `storeBatches`: the messages, and the job that relays them. */
export async function storePlanned(tx: Database, ctx: Context, batch: PlannedBatch): Promise<StoredBatch> {
  const { id, target, attachments } = batch
  const session = await lockSession(tx, ctx.caller, {
    id: createId('ses'),
    scopeId: target.scope.id,
    externalId: target.sessionId,
    kind: target.kind,
    upstreamSessionId: createUpstreamName('s'),
  })
  const rows = withUpstreamTimestamps(batch.rows, session.lastUpstreamTimestamp)
  const position = rows.at(-1)?.upstreamTimestamp ?? 0
  const stored = { id, session, position, messageIds: rows.map((row) => row.id), attachments }
  await together(
    insertStored(tx, ctx, stored, rows),
    ctx.services.jobs.enqueue(tx, { name: 'relay-session', sessionId: session.id }),
  )
  await insertShared(tx, ctx.caller, batch.shared)
  return stored
}

/** Stores messages of one session in a batch of their own; `also` is done in the same transaction. */
export async function storeBatch(
  ctx: Context,
  target: BatchTarget,
  messages: readonly ResolvedMessage[],
  also: AlsoStore<StoredBatch> = nothingElse,
): Promise<StoredBatch> {
  const batch = planBatch(ctx, target, messages)
  return storeBatches(ctx, [batch], async (tx) => {
    const stored = await storePlanned(tx, ctx, batch)
    await also(tx, stored)
    return stored
  })
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
}

function planMessage(ctx: Context, batchId: string, { input, items, tokens, metadata }: ResolvedMessage) {
  const messageId = createId('msg')
  const attachments: PlannedAttachment[] = []
  const shared: StoredAttachment[] = []
  const content = items.map((item): StoredItem => {
    if (item.type === 'text') return { type: 'text', text: item.text }
    if (item.type === 'shared') {
      const file = { ...item.file, id: createId('att'), batchId, messageId }
      shared.push(file)
      return { type: file.kind, attachment_id: file.id }
    }
    const planned = planAttachment(ctx, batchId, messageId, item.upload, item.objectKey)
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
    tokens: tokens ?? null,
    metadata: metadata ?? null,
  }
  return { row, attachments, shared }
}

function planAttachment(
  ctx: Context,
  batchId: string,
  messageId: string,
  upload: DetectedUpload,
  objectKey = createObjectKey(),
): PlannedAttachment {
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

async function putObjects(ctx: Context, { id: batchId, attachments }: PlannedBatch): Promise<void> {
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
    throw new GatewayError('unavailable', 'The files could not be stored now. Nothing was kept; try again.', {
      cause: error,
      retryAfter: 5,
    })
  }
}
